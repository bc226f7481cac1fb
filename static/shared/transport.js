/**
 * What DTLS and SRTP agreed on, read back from getStats and judged by an allow-list (R21), and the fingerprints that
 * session descriptions vouch for. What a browser does not report is unknown, and that is no trouble; what it does report
 * must be on the list.
 */

/** @typedef {{ own: string[], theirs: string[] }} Fingerprints  of both sides, as {@link fingerprints} makes them */
/**
 * `weak`: something outside of the list. `foreign`: the partner's certificate is none that its description named.
 * @typedef {"good" | "weak" | "foreign" | "unknown"} Verdict
 */

/** As they stand on the wire. @type {Record<string, string>} */
const VERSIONS = { FEFD: "DTLS 1.2", FEFC: "DTLS 1.3" };
/** Forward secrecy and AEAD. DTLS 1.3 knows nothing else and leaves the key exchange out of the name. */
const CIPHER = /^TLS_(ECDHE_(ECDSA|RSA)_WITH_)?(AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256)$/;
const PROTECTION = /^(SRTP_)?(AEAD_AES_(128|256)_GCM|AES128_CM_HMAC_SHA1_80|AES_CM_128_HMAC_SHA1_80)$/;

/**
 * Every fingerprint in a description, of the session and of its media: `algorithm VALUE`, sorted, each once. What does
 * not look like one stays, so that nothing hides.
 * @param {string | undefined} sdp
 */
export function fingerprints(sdp) {
  const lines = [...(sdp ?? "").matchAll(/^a=fingerprint:(.*)$/gim)].map(([, line]) => {
    const [algorithm, ...value] = line.trim().split(/\s+/);
    return `${algorithm.toLowerCase()} ${value.join(" ").toUpperCase()}`;
  });
  return [...new Set(lines)].sort();
}

/**
 * @param {Iterable<any>} entries     of an RTCStatsReport
 * @param {ArrayBuffer[]} certificates  the partner's, as the browser has them; none where it does not tell
 * @param {string[]} theirs           {@link fingerprints} of the partner's description
 * @returns {Promise<{ verdict: Verdict, said: string[] }>} `said`: the parameters, for the details
 */
export async function judge(entries, certificates, theirs) {
  const transports = [...entries].filter(({ type }) => type === "transport");
  /** @param {string} field @returns {string[]} */
  const told = (field) => [...new Set(transports.map((entry) => entry[field]).filter(Boolean))];
  const versions = told("tlsVersion").map((version) => VERSIONS[version.toUpperCase()] ?? version);
  const ciphers = told("dtlsCipher");
  const protections = told("srtpCipher");
  const allowed = versions.every((version) => Object.values(VERSIONS).includes(version))
    && ciphers.every((cipher) => CIPHER.test(cipher))
    && protections.every((protection) => PROTECTION.test(protection));
  const said = [...versions, ...ciphers, ...protections];
  const known = certificates[0] && theirs.includes(await fingerprintOf(certificates[0])); // the first is the partner's own
  return { verdict: known === false ? "foreign" : !allowed ? "weak" : said.length > 0 ? "good" : "unknown", said };
}

/** @param {ArrayBuffer} certificate  DER */
async function fingerprintOf(certificate) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", certificate));
  return `sha-256 ${[...hash].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":")}`;
}
