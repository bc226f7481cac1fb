/** What the roles may do. */

/** @typedef {import("./types.js").Role} Role */

/** Keeps people, workplaces and settings. @param {Role | undefined} role */
export function keeps(role) {
  return role === "admin" || role === "head";
}

/** Takes part in consultations. @param {Role | undefined} role */
export function consults(role) {
  return role === "doctor" || role === "head";
}
