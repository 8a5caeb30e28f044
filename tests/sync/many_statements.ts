/** Runs 10,000 statements, and prints how much memory is used more after them: `many_statements.ts <prefix>`. */

import { connect } from "../../sync.ts";

interface Lab {
  list: { index: number }[];
  [key: `key${number}`]: { index: number };
}

using lab = connect<Lab>(Deno.env.get("REDIS_URL")!, { prefix: Deno.args[0] });

function run(count: number): void {
  for (let index = 0; index < count; index += 8) {
    lab.list[index % 100] = { index };
    if (lab.list[index % 100].index !== index) throw new Error("it is another one");
    lab[`key${index}`] = { index }; // each at a place of its own
    if (lab[`key${index}`].index !== index) throw new Error("it is another one");
    void [Object.keys(lab.list[0]), { ...lab.list[1] }, JSON.stringify(lab.list[2])];
  }
}

/** What is used after a garbage collection. */
function measure(): { readonly heap: number; readonly process: number } {
  (globalThis as unknown as { gc(): void }).gc();
  const { heapUsed, rss } = Deno.memoryUsage();
  return { heap: heapUsed, process: rss };
}

lab.list = Array.from({ length: 100 }, (_, index) => ({ index }));
run(5_000);
const before = measure();
run(10_000);
const after = measure();
console.log(JSON.stringify({ heap: after.heap - before.heap, process: after.process - before.process }));
