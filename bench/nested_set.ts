import { makeRuns, type Place, PLACES } from "./documents.ts";
import { type Contender, measure, pipelined, sequential, type Times } from "./measure.ts";
import type { Bench } from "./bench.ts";
import { changeByGetSet, changeByWatch, GET_SET_COMMANDS, WATCH_COMMANDS } from "./peers.ts";
import { micros, ratio, size } from "./report.ts";
import { CJSON, GET_SET, NOTHING } from "./rivals.ts";

/** The cost of a nested set on a small document, on the server. */
export async function benchNestedSet(bench: Bench): Promise<void> {
  const { report, client } = bench;
  const document = makeRuns(1_000);
  report.section(
    "nested-set",
    `What does a set at a path of 4 segments cost the server, in a document of ${size(document.bytes)}?\n` +
      "Microseconds on the server, of all commands of a change; ratios of the best rounds.",
  );
  const prepare = () => client.set(bench.prefix + "doc", document.text);
  // What the client does between the commands is no time of the server.
  const same = (text: string) => text;
  for (const [mode, batch] of [["sequential", sequential], ["pipelined", pipelined]] as const) {
    const turns = bench.isQuick ? 500 : 2000;
    const contender = (job: (turn: number) => Promise<unknown>): Contender => ({
      prepare,
      batch: batch(job),
      turns,
      command: "evalsha",
    });
    const ours = (place: Place) =>
      contender(bench.sender((turn) => ({
        kind: "set",
        path: ["doc", ...document.target(place), "value"],
        value: turn % 2 ? '"bbbb"' : '"aaaa"',
      })));
    const path = [...document.target("middle"), "value"];
    const times: Record<string, Times> = await measure<string>(client, {
      nothing: contender(() => bench.script(NOTHING, "doc")),
      getSet: contender(() => bench.script(GET_SET, "doc")),
      plain: {
        ...contender(() => changeByGetSet(client, `${bench.prefix}doc`, same)),
        command: undefined,
        commands: GET_SET_COMMANDS,
      },
      ...(mode === "sequential"
        ? {
          watch: {
            ...contender(() => changeByWatch(client, `${bench.prefix}doc`, same)),
            command: undefined,
            commands: WATCH_COMMANDS,
          },
        }
        : {}),
      cjson: contender((turn) => bench.script(CJSON, "doc", "set", turn % 2 ? '"bbbb"' : '"aaaa"', ...path)),
      first: ours("first"),
      middle: ours("middle"),
      last: ours("last"),
    }, bench.rounds(9));
    const rival = (name: string, label: string) => [
      label,
      micros(times[name].server.min),
      micros(times[name].server.median),
    ];
    report.table(
      [mode, "min", "median", "of GET+SET", "goal", "of cjson", "goal"],
      [
        rival("nothing", "return 1"),
        rival("getSet", "GET and SET, no change"),
        rival("plain", "GET, SET by a client, which changes"),
        ...(mode === "sequential" ? [rival("watch", "WATCH, GET, MULTI, SET, EXEC by a client")] : []),
        rival("cjson", "cjson: decode, change, encode"),
        ...PLACES.map((place) => {
          const { min } = times[place].server;
          const name = `${mode}, ${place}`;
          const floor = min / times.getSet.server.min;
          const cjson = min / times.cjson.server.min;
          return [
            ...rival(place, `json-dict set, ${place}`),
            ratio(floor),
            report.goal({
              name: `${name}: time, of GET and SET`,
              value: floor,
              atMost: { first: 1.8, middle: 2.3, last: 2.9 }[place],
            }),
            ratio(cjson),
            report.goal({ name: `${name}: time, of cjson`, value: cjson, atMost: 0.5 }),
          ];
        }),
      ],
    );
  }
}
