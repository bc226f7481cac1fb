/**
 * Cases that go the same way through the code take turns: a plain run tries one of each kind, the date says which, and
 * `tests/run --long` (its parts `calls`, `pages`, `nat` and `faults`) tries them all. VISAVIS_DAY, days since 1970, repeats a run of
 * another date.
 */

const DAY_MS = 86_400_000;
/** Of this run. */
export const day = Number(process.env.VISAVIS_DAY ?? Math.floor(Date.now() / DAY_MS));

/**
 * `skip` for one of several tests that differ in one thing alone, as the browser.
 * @param {number} index  among them
 * @param {number} count
 */
export function notItsTurn(index, count) {
  return !process.env.VISAVIS_LONG && index !== day % count && `it has its turn on another day (today, ${day}: number ${(day % count) + 1} of ${count})`;
}

/**
 * What of a list of cases has to wait for another day: reasons for `skip`, by name. A case without a kind is always due.
 * @param {{ name: string, kind?: string }[]} cases
 * @returns {Map<string, string>}
 */
export function others(cases) {
  const kinds = new Set(cases.flatMap(({ kind }) => kind ?? []));
  return new Map([...kinds].flatMap((kind) => {
    const alike = cases.filter((one) => one.kind === kind);
    return alike.flatMap(({ name }, index) => {
      const why = notItsTurn(index, alike.length);
      return why ? [[name, why]] : [];
    });
  }));
}
