/** One of several processes that write at once: `writer.ts <prefix> <index> <times>`. */

import { connect, dictionary, type Facade } from "../../sync.ts";

const [prefix, index, times] = Deno.args;

interface Lab {
  log: [writer: number, time: number][];
  run: { counts: Record<string, number>; seen: number };
  total: number;
}

using lab: Facade<Lab> = connect<Lab>(Deno.env.get("REDIS_URL")!, { prefix });
const dict = dictionary(lab);
for (let time = 0; time < Number(times); time++) {
  lab.log.push([Number(index), time]);
  lab.run.counts[index] = time + 1;
  dict.at("run", "seen").increment();
  dict.edit((draft) => {
    draft.total = (draft.total ?? 0) + 1;
  });
}
