/**
 * The document's elements and the few ways in which they are changed. Texts are set as text, never as HTML; what is
 * repeated is cloned from a `<template>`.
 */

/** @typedef {Record<string, string>} Words  a catalogue */

/** By then a browser has taken a file over. */
const SAVED_MS = 60_000;

/** @type {Record<string, HTMLElement>} every element with an id */
export const el = Object.fromEntries(all("[id]").map((element) => [element.id, element]));
/** The catalogue in use. @type {Words} */
let spoken = {};

/**
 * Puts a catalogue's words wherever the markup names one (`data-say`).
 * @param {Words} words
 */
export function translate(words) {
  if (words === spoken) return;
  spoken = words;
  document.documentElement.lang = words.language;
  document.documentElement.dir = words.direction;
  speak(document);
  put(el.language, words["language.switch"]);
  el.language.lang = words["language.switchTo"];
  el.language.dataset.language = words["language.switchTo"];
}

/**
 * What the markup names: a text by `data-say`, a name for who cannot see by `data-label`.
 * @param {ParentNode} within
 */
export function speak(within) {
  for (const element of all("[data-say]", within)) element.textContent = spoken[element.dataset.say ?? ""] ?? "";
  for (const element of all("[data-label]", within)) element.setAttribute("aria-label", spoken[element.dataset.label ?? ""] ?? "");
}

/**
 * One child for each item, in their order, kept by its key; made from a template, drawn by `draw`. Children that stay are
 * not moved among each other: a moved picture stops.
 * @template T
 * @param {HTMLElement} place
 * @param {T[]} items
 * @param {keyof T & string} key
 * @param {string} template
 * @param {(child: HTMLElement, item: T) => void} draw
 */
export function keyed(place, items, key, template, draw) {
  const children = new Map([...place.children].map((child) => [/** @type {HTMLElement} */ (child).dataset[key], child]));
  let before = /** @type {Element | null} */ (null);
  for (const item of items) {
    const name = String(item[key]);
    let child = /** @type {HTMLElement | undefined} */ (children.get(name));
    children.delete(name);
    if (!child) {
      child = clone(template);
      for (const target of [child, ...child.querySelectorAll("[data-do]")]) {
        /** @type {HTMLElement} */ (target).dataset[key] = name;
      }
      speak(child);
      if (before) before.after(child);
      else place.prepend(child);
    }
    before = child;
    draw(child, item);
  }
  for (const child of children.values()) {
    const focused = child.contains(document.activeElement);
    child.remove();
    if (focused) el[`${document.body.dataset.screen}-title`].focus();
  }
}

/**
 * Sets an element's text; without one, it is hidden.
 * @param {Element | null} element
 * @param {string | null | undefined | false} text
 */
export function put(element, text) {
  if (!(element instanceof HTMLElement)) return;
  element.hidden = !text;
  if (element.textContent !== (text || "")) element.textContent = text || "";
}

/**
 * A field's problem, said beneath it and on it.
 * @param {string} field
 * @param {string | null} text
 */
export function complain(field, text) {
  put(el[`${field}-problem`], text);
  el[field].setAttribute("aria-invalid", String(Boolean(text)));
}

/** @param {string} id @param {() => void} submit */
export function form(id, submit) {
  el[id].addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
}

/** @param {string} id */
export function input(id) {
  return /** @type {HTMLInputElement} */ (el[id]);
}

/** @param {HTMLElement} element @param {string} name */
export function part(element, name) {
  return /** @type {HTMLElement} */ (element.querySelector(`[data-part=${name}]`));
}

/**
 * Hands the user a file.
 * @param {string} name
 * @param {string} text
 * @param {string} [type]
 */
export function save(name, text, type = "text/plain") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVED_MS);
}

/** @param {string} template */
export function clone(template) {
  const { content } = /** @type {HTMLTemplateElement} */ (el[`template-${template}`]);
  return /** @type {HTMLElement} */ (/** @type {Element} */ (content.firstElementChild).cloneNode(true));
}

/** @param {string} selector @param {ParentNode} [within] @returns {HTMLElement[]} */
export function all(selector, within = document) {
  return [...within.querySelectorAll(selector)].map((element) => /** @type {HTMLElement} */ (element));
}
