/** The English texts that every page of the practice has. The same keys as in the German file. */

/** @type {Record<string, string>} */
export default {
  language: "en",
  locale: "en-GB",
  direction: "ltr",
  "language.switch": "Deutsch",
  "language.switchTo": "de",

  "nav.label": "The practice's pages",
  "nav.list": "List",
  "nav.practice": "Practice",
  "nav.signOut": "Sign out",

  "legal.imprint": "Imprint",
  "legal.privacy": "Privacy",
  "legal.terms": "Terms of use",

  "common.cancel": "Cancel",
  "common.close": "Close",
  "common.save": "Save",
  "common.back": "Back",
  "common.print": "Print",
  "common.copy": "Copy",
  "common.copied": "Copied.",
  "common.again": "Try again",
  "common.loading": "One moment please",

  "role.doctor": "Doctor",
  "role.staff": "Practice team",
  "role.admin": "Administration",
  "role.head": "Doctor, with administration",

  "password.missing": "Please enter a password.",
  "password.long": "This password is longer than 1,024 characters. Please take a shorter one.",
  "password.short": "This password is short. Please take at least {least} characters.",
  "password.differs": "The two passwords differ. Please enter it once more.",
  "password.show": "Show",
  "password.hide": "Hide",
  "password.capsLock": "Caps lock is on: you write in capitals.",
  "password.fresh": "New password",
  "password.again": "New password, once more",
  "password.freshHint": "At least eight characters. A short sentence that only you know is good.",

  "trouble.network": "The server does not answer. Please check the connection and try again.",
  "trouble.server": "Something went wrong on the server. Please try again in a moment.",
  "trouble.noSpace": "There is no space left on the server, so this was not saved. Running calls go on. Please tell your IT.",
  "trouble.refused": "The server refused that: {detail}",
  "trouble.tooMany": "These were many attempts. Please wait {minutes} minutes.",
  "trouble.ownKey": "For your access the server names another key than this browser knows. Nothing was sent. Please sign in again with your password. If this comes back, please ask who runs your server.",
  "trouble.role": "Your role has no right to do that. Please ask your practice's administration.",
};
