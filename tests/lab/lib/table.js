/** What every case expected and what each side's browser chose, as one table of plain text. */

/** @typedef {{ types: string, leg: string }} Pair */
/** @typedef {string | { patient: string, doctor: string }} Path  a word, or how each side reaches the relay */

const HEAD = ["case", "expected", "patient's pair", "doctor's pair", "measured"];

export class Table {
  /** @type {string[][]} */
  #rows = [HEAD];

  /**
   * @param {string} name
   * @param {Path} expected
   * @param {{ patient: Pair, doctor: Pair }} pairs
   * @param {string} measured
   */
  note(name, expected, { patient, doctor }, measured) {
    this.#rows.push([name, typeof expected === "string" ? expected : `relay ${expected.patient} / ${expected.doctor}`, told(patient), told(doctor), measured]);
  }

  toString() {
    return lines(this.#rows);
  }
}

/** @param {string[][]} rows  the first is the head */
export function lines(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const drawn = rows.map((row) => `| ${row.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`);
  drawn.splice(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  return `\n${drawn.join("\n")}\n`;
}

/** @param {Pair} pair */
function told({ types, leg }) {
  return leg ? `${types} ${leg}` : types;
}
