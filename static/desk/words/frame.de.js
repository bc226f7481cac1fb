/** Die deutschen Texte, die jede Seite der Praxis hat. Dieselben Schlüssel wie in der englischen Datei. */

/** @type {Record<string, string>} */
export default {
  language: "de",
  locale: "de-DE",
  direction: "ltr",
  "language.switch": "English",
  "language.switchTo": "en",

  "nav.label": "Seiten der Praxis",
  "nav.list": "Liste",
  "nav.practice": "Praxis",
  "nav.signOut": "Abmelden",

  "legal.imprint": "Impressum",
  "legal.privacy": "Datenschutz",
  "legal.terms": "Nutzungsbedingungen",

  "common.cancel": "Abbrechen",
  "common.close": "Schließen",
  "common.save": "Speichern",
  "common.back": "Zurück",
  "common.print": "Drucken",
  "common.copy": "Kopieren",
  "common.copied": "Kopiert.",
  "common.again": "Noch einmal versuchen",
  "common.loading": "Einen Moment bitte",

  "role.doctor": "Ärztin oder Arzt",
  "role.staff": "Praxisteam",
  "role.admin": "Verwaltung",
  "role.head": "Ärztin oder Arzt, mit Verwaltung",

  "password.missing": "Bitte geben Sie ein Passwort ein.",
  "password.long": "Dieses Passwort ist länger als 1.024 Zeichen. Bitte nehmen Sie ein kürzeres.",
  "password.short": "Dieses Passwort ist kurz. Bitte nehmen Sie mindestens {least} Zeichen.",
  "password.differs": "Die beiden Passwörter sind verschieden. Bitte geben Sie es noch einmal ein.",
  "password.show": "Anzeigen",
  "password.hide": "Verbergen",
  "password.capsLock": "Die Feststelltaste ist an: Sie schreiben groß.",
  "password.fresh": "Neues Passwort",
  "password.again": "Neues Passwort, noch einmal",
  "password.freshHint": "Mindestens acht Zeichen. Gut ist ein kurzer Satz, den nur Sie kennen.",

  "trouble.network": "Der Server antwortet nicht. Bitte prüfen Sie die Verbindung und versuchen Sie es noch einmal.",
  "trouble.server": "Beim Server ging etwas schief. Bitte versuchen Sie es gleich noch einmal.",
  "trouble.noSpace": "Auf dem Server ist kein Platz mehr, deshalb wurde das nicht gespeichert. Laufende Gespräche gehen weiter. Bitte sagen Sie der Technik Bescheid.",
  "trouble.refused": "Das hat der Server abgelehnt: {detail}",
  "trouble.tooMany": "Das waren viele Versuche. Bitte warten Sie {minutes} Minuten.",
  "trouble.ownKey": "Der Server nennt für Ihren Zugang einen anderen Schlüssel, als dieser Browser kennt. Nichts wurde gesendet. Bitte melden Sie sich mit Ihrem Passwort neu an. Kommt dieser Hinweis wieder, fragen Sie bitte, wer Ihren Server betreibt.",
  "trouble.role": "Dafür hat Ihre Rolle kein Recht. Bitte fragen Sie die Verwaltung Ihrer Praxis.",
};
