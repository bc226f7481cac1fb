//! Access codes by the words of docs/protocol.md, without the broker's own code.

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A well-formed code, drawn at random: eleven symbols and the check symbol that fits.
pub fn well_formed() -> String {
    let mut symbols: Vec<u8> = rand::random::<[u8; 11]>().iter().map(|byte| byte % 32).collect();
    symbols.push(check_symbol(&symbols));
    symbols.iter().map(|symbol| char::from(ALPHABET[usize::from(*symbol)])).collect()
}

/// `s = 0; for each symbol: s = (s xor symbol) · x^5` over GF(2^5), polynomial 0x3B.
fn check_symbol(symbols: &[u8]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| {
        (0..5).fold(sum ^ symbol, |value, _| if value & 16 == 0 { value << 1 } else { (value << 1) ^ 0x3B })
    })
}
