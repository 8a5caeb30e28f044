/**
 * Waits for what only another process can bring about.
 *
 * @module
 */

/** Far beyond what anything here takes, on a machine that is busy with other things, too. */
const PATIENCE = 60_000;
const PAUSE = 5;

/**
 * Waits until a condition holds.
 *
 * @param what The condition in words, for the error.
 * @throws {Error} If it does not hold after a minute.
 */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE;
  while (!await condition()) {
    if (performance.now() > giveUpAt) throw new Error(`Waited a minute in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
