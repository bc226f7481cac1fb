/**
 * What this browser keeps of itself as a workplace, one record for each practice, in IndexedDB: nothing else can hold a private key
 * that cannot be taken out. A window that keeps nothing (private browsing) cannot be a workplace.
 */

/** @typedef {import("./types.js").Place} Place */

const NAME = "visavis-desk";
const STORE = "workplaces";

/** Whether this window can keep a key at all: some private ones cannot. Throws then. @param {CryptoKey} key  any that cannot be taken out */
export async function tryOut(key) {
  await ask("readwrite", (store) => {
    store.put({ practice: "", key });
    return store.delete("");
  });
}

/** @param {string} practice  short name @returns {Promise<Place | null>} */
export async function placeOf(practice) {
  return (await ask("readonly", (store) => store.get(practice))) ?? null;
}

/** The workplace that was used last. @returns {Promise<Place | null>} */
export async function lastPlace() {
  /** @type {(Place & { usedAt: number })[]} */
  const places = (await ask("readonly", (store) => store.getAll())) ?? [];
  return places.sort((a, b) => b.usedAt - a.usedAt)[0] ?? null;
}

/** The user's public key, as it came out of the private half: beside this workplace's pair, if it is one. @param {import("./types.js").Session} session @param {string} key */
export async function keepOwn({ practice, user }, key) {
  const place = await placeOf(practice.short);
  if (place) await keepPlace({ ...place, own: new Map(place.own).set(user.short, key) });
}

/** @param {Place} place */
export async function keepPlace(place) {
  await ask("readwrite", (store) => store.put({ ...place, usedAt: Date.now() }));
}

/** @param {string} practice  short name */
export async function forgetPlace(practice) {
  await ask("readwrite", (store) => store.delete(practice));
}

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} what
 * @returns {Promise<any>}
 */
async function ask(mode, what) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = what(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "practice" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
