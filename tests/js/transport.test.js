/** What DTLS and SRTP agreed on is judged by what browsers really report (R21), and every fingerprint is found. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { fingerprints, judge } from "../../static/shared/transport.js";

/** As Chromium 156 and Firefox 153 reported a call between the two, and Chromium one with Chromium. */
const RECORDED = {
  chromium: {
    id: "T01", timestamp: 1795323500449.537, type: "transport", bytesReceived: 77418, bytesSent: 73684, dtlsCipher: "TLS_AES_128_GCM_SHA256",
    dtlsRole: "server", dtlsState: "connected", iceLocalUsernameFragment: "o+Ii", iceRole: "controlling", iceState: "connected",
    packetsReceived: 365, packetsSent: 286, selectedCandidatePairChanges: 1, selectedCandidatePairId: "CPaflFvGCJ_VJWbi+cu",
    srtpCipher: "SRTP_AES128_CM_HMAC_SHA1_80", tlsVersion: "FEFC",
  },
  firefox: {
    id: "65aaa616", timestamp: 1795323500518.58, type: "transport", dtlsCipher: "TLS_AES_128_GCM_SHA256", dtlsRole: "client",
    dtlsState: "connected", iceLocalUsernameFragment: "303d1ba7", iceRole: "controlled", iceState: "connected",
    selectedCandidatePairId: "d26506ec", srtpCipher: "SRTP_AES128_CM_HMAC_SHA1_80", tlsVersion: "FEFC",
  },
};
/** Chromium's own for that call, and the fingerprint in its description. */
const CERTIFICATE = Uint8Array.from(Buffer.from("MIIBFTCBvaADAgECAgkA92tGH4XpmtEwCgYIKoZIzj0EAwIwETEPMA0GA1UEAwwGV2ViUlRDMB4XDTI2MTEyMTA0NTgwM1oXDTI2MTIyMjA0NTgwM1owETEPMA0GA1UEAwwGV2ViUlRDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEg/qHGvoOWyewWta7ztv9h/aZWyzV92FontVmD6mcjMAhaX6KvxSg/psWMzuanYS4uCFLxoaBSOx26KXhbb3FHTAKBggqhkjOPQQDAgNHADBEAiBaW/+7e8FwVcwBi8qxUanMy3qOxu5XhnsQyX1cphYW1QIgK8tFobZxJxjuQMkKaSvdEO2Dk50QokrE0B9bqPL136o=", "base64")).buffer;
const FINGERPRINT = "sha-256 CA:E1:59:6D:C5:68:00:FC:9D:8C:8C:1A:3C:34:3E:95:27:45:2C:08:39:CE:50:C7:D0:B9:39:2D:77:32:EE:13";

/** @param {object[]} entries @param {ArrayBuffer[]} [certificates] */
const verdict = async (entries, certificates = []) => (await judge(entries, certificates, [FINGERPRINT])).verdict;

test("what today's browsers agree on is good, and told in full", async () => {
  for (const report of Object.values(RECORDED)) {
    assert.deepEqual(await judge([{ type: "codec" }, report], [CERTIFICATE], [FINGERPRINT]), {
      verdict: "good",
      said: ["DTLS 1.3", "TLS_AES_128_GCM_SHA256", "SRTP_AES128_CM_HMAC_SHA1_80"],
    });
  }
});

test("all of the list is good, and nothing beside it", async () => {
  const good = {
    tlsVersion: ["FEFD", "fefd", "FEFC"],
    dtlsCipher: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
    srtpCipher: ["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "SRTP_AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "SRTP_AES128_CM_HMAC_SHA1_80"],
  };
  const weak = {
    tlsVersion: ["FEFF", "0303", "0301", "FEF", "__proto__", "DTLS 1.0"],
    dtlsCipher: ["TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_NULL_WITH_NULL_NULL", "TLS_SHA256_SHA256", "X TLS_AES_128_GCM_SHA256"],
    srtpCipher: ["AES_CM_128_HMAC_SHA1_32", "SRTP_AES128_CM_HMAC_SHA1_32", "SRTP_NULL_HMAC_SHA1_80", "AEAD_AES_128_GCM_8"],
  };
  for (const [field, values] of Object.entries(good)) for (const value of values) assert.equal(await verdict([{ ...RECORDED.chromium, [field]: value }]), "good", value);
  for (const [field, values] of Object.entries(weak)) for (const value of values) assert.equal(await verdict([{ ...RECORDED.chromium, [field]: value }]), "weak", value);
});

test("one bad transport among several is bad", async () => {
  assert.equal(await verdict([RECORDED.chromium, { ...RECORDED.firefox, srtpCipher: "SRTP_NULL_HMAC_SHA1_80" }]), "weak");
});

test("a browser that tells nothing, or only a part, fails no call", async () => {
  assert.deepEqual(await judge([], [], [FINGERPRINT]), { verdict: "unknown", said: [] });
  assert.equal(await verdict([{ type: "transport", dtlsState: "connected" }]), "unknown");
  assert.equal(await verdict([{ type: "transport", tlsVersion: "", srtpCipher: undefined }], [CERTIFICATE]), "unknown");
  assert.equal(await verdict([{ type: "transport", tlsVersion: "FEFD" }]), "good");
});

test("a certificate that the partner's description does not name is foreign", async () => {
  assert.equal(await verdict([RECORDED.chromium], [CERTIFICATE]), "good");
  assert.equal(await verdict([RECORDED.chromium], [CERTIFICATE.slice(1)]), "foreign");
  assert.equal((await judge([RECORDED.chromium], [CERTIFICATE], [FINGERPRINT.replace("CA", "CB")])).verdict, "foreign");
  assert.equal((await judge([], [CERTIFICATE], [])).verdict, "foreign");
});

test("every fingerprint of a description is found, however it is written", () => {
  const sdp = ["v=0", "a=fingerprint:sha-256 aa:BB", "m=audio 9", "a=fingerprint:SHA-256  AA:bb ", "m=video 9", "A=fingerprint:sha-1 00:11", "a=fingerprint:nonsense", "a=x-fingerprint:sha-1 22", "a=fingerprint:"].join("\r\n");
  assert.deepEqual(fingerprints(sdp), [" ", "nonsense ", "sha-1 00:11", "sha-256 AA:BB"]);
  assert.deepEqual(fingerprints("v=0\r\n"), []);
  assert.deepEqual(fingerprints("a=fingerprint:sha-256 AA\na=fingerprint:sha-384 BB"), ["sha-256 AA", "sha-384 BB"]);
});
