/**
 * What is left behind shows nothing and knows nothing (R62): a page that the browser keeps whole for its way back, and every tab of the
 * practice's pages once somebody signs out in one of them.
 */

/** Between the tabs of this origin. Whatever is said on it means: somebody signed out. */
const CHANNEL = "visavis.desk.out";

let left = false;
/** Drops what this page holds: keys, names, its line. */
let forget = () => {};

/** Whether this page is left or signed out: nothing is drawn any more. */
export function isLeft() {
  return left;
}

/** Takes everything off the screen and out of memory, for good. */
export function blank() {
  left = true;
  forget();
  document.body.replaceChildren();
  document.title = "visavis";
}

/**
 * A page that is left is emptied before the browser may keep it, and loaded anew when the user comes back to it: then it asks
 * whether the session still lives.
 * @param {() => void} [drop]  what this page holds
 */
export function whenLeft(drop = () => {}) {
  forget = drop;
  addEventListener("pagehide", blank);
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
}

/** @param {() => void} hear  somebody signed out in another tab */
export function whenOut(hear) {
  new BroadcastChannel(CHANNEL).addEventListener("message", hear);
}

/** Somebody signs out here: all other tabs do, too. */
export function tellOut() {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage("out");
  channel.close();
}
