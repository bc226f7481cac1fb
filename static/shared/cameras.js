/**
 * Which way a camera looks, as far as a browser tells: by `facingMode`, else by its name. Desktop cameras tell neither,
 * and then nothing is guessed. Some tablets give the rear camera to whoever asks for the front one: {@link better}
 * finds the right one. Plain data in and out.
 */

/** @typedef {"user" | "environment"} Facing */
/** @typedef {{ id: string, label: string, facing: Facing | null }} Camera */

const NAMES = /** @type {[Facing, RegExp][]} */ ([
  ["environment", /\b(back|rear|environment|world|rück|hinter|trasera|posteriore?|arrière|arka)/i],
  ["user", /\b(front|user|face\s?time|selfie|vorder|anteriore?|avant)|ön kamera/i],
]);

/**
 * @param {string} label
 * @param {unknown} [mode]  `facingMode` of settings (a string) or capabilities (a list)
 * @returns {Facing | null}
 */
export function facing(label, mode) {
  const told = [mode].flat()[0];
  if (told === "user" || told === "environment") return told;
  return NAMES.find(([, name]) => name.test(label))?.[0] ?? null;
}

/** @param {Facing | null} from @returns {Facing} */
export function opposite(from) {
  return from === "environment" ? "user" : "environment";
}

/** Whether there is one to look at the user and one to look at the room. @param {Camera[]} cameras */
export function flippable(cameras) {
  return cameras.some((camera) => camera.facing === "user") && cameras.some((camera) => camera.facing === "environment");
}

/**
 * The camera to ask for by name, where the granted one looks the wrong way.
 * @param {Camera[]} cameras
 * @param {Camera} granted
 * @param {Facing} wanted
 * @returns {Camera | null}
 */
export function better(cameras, granted, wanted) {
  if (granted.facing !== opposite(wanted)) return null; // right, or not told
  return cameras.find((camera) => camera.facing === wanted && camera.id !== granted.id) ?? null;
}
