/** What invitations in the tests are about. */

import { occasion as sample } from "../../../static/desk/invitation/samples.js";

export const CODE = "K7QF-3XM2-9TDA";
export const SECRET = "AbCdEfGhIjKlMnOpQrStUv";

/** @param {Parameters<typeof sample>[0]} [other] */
export function occasion(other) {
  return sample({ origin: "https://video.example.org", ...other });
}
