//! A TURN client by hand (RFC 8656), on STUN messages of a foreign implementation: one socket, one request at a time.
