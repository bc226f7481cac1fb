/** Passkeys (WebAuthn): the server's options as JSON in, the browser's credential as JSON out, in base64url both ways. */

import { base64url, bytes } from "../shared/seal.js";

export function supported() {
  return "PublicKeyCredential" in window;
}

/** Why the browser gave none: the user said no, or took too long. @param {unknown} error */
export function isRefused(error) {
  return error instanceof DOMException && ["NotAllowedError", "AbortError", "InvalidStateError"].includes(error.name);
}

/** A new passkey. @param {any} options  `PublicKeyCredentialCreationOptionsJSON`, as `publicKey` */
export async function create({ publicKey }) {
  const { challenge, user, excludeCredentials = [] } = publicKey;
  const made = await navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: bytes(challenge),
      user: { ...user, id: bytes(user.id) },
      excludeCredentials: excludeCredentials.map(withBytes),
    },
  });
  const { response, ...whole } = told(made);
  const { attestationObject, clientDataJSON } = /** @type {AuthenticatorAttestationResponse} */ (response);
  return { ...whole, response: { attestationObject: text(attestationObject), clientDataJSON: text(clientDataJSON) } };
}

/** Signs in with one. @param {any} options  `PublicKeyCredentialRequestOptionsJSON`, as `publicKey` */
export async function use({ publicKey }) {
  const { challenge, allowCredentials = [] } = publicKey;
  const found = await navigator.credentials.get({
    publicKey: { ...publicKey, challenge: bytes(challenge), allowCredentials: allowCredentials.map(withBytes) },
  });
  const { response, ...whole } = told(found);
  const { authenticatorData, clientDataJSON, signature, userHandle } = /** @type {AuthenticatorAssertionResponse} */ (response);
  return {
    ...whole,
    response: {
      authenticatorData: text(authenticatorData),
      clientDataJSON: text(clientDataJSON),
      signature: text(signature),
      userHandle: userHandle && text(userHandle),
    },
  };
}

/** @param {Credential | null} credential */
function told(credential) {
  const { id, rawId, type, response } = /** @type {PublicKeyCredential} */ (credential);
  return { id, rawId: text(rawId), type, extensions: {}, response };
}

/** @param {{ id: string }} descriptor */
function withBytes(descriptor) {
  return { ...descriptor, id: bytes(descriptor.id) };
}

/** @param {ArrayBuffer} buffer */
function text(buffer) {
  return base64url(new Uint8Array(buffer));
}
