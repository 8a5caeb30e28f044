/** Snapshots of values that expire meanwhile. */

import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import type { Connection } from "../../src/cli/connection.ts";
import { type Snapshot, snapshot } from "../../src/cli/snapshot.ts";

/** A server that replies with these PTTLs; each value is there when it is read. */
function serverOf(ttls: Readonly<Record<string, number>>, isCluster: boolean): Connection {
  const replyTo = (command: string, ...names: string[]): unknown => {
    if (command === "STRLEN") return 1;
    if (command === "GET") return "1";
    if (command === "PTTL") return ttls[names[0]];
    if (command === "EXEC") return [Object.keys(ttls).map(() => "1"), ...Object.values(ttls)];
    return "QUEUED";
  };
  const connection = {
    prefix: "",
    client: {
      ...isCluster ? { nodes: () => [] } : {},
      call: (command: string, ...names: string[]) => Promise.resolve(replyTo(command, ...names)),
    },
    dict: {
      async *keys() {
        for (const key of Object.keys(ttls)) yield await Promise.resolve(key);
      },
    },
    answerOf: <T>(work: Promise<T>) => work,
  };
  return connection as unknown as Connection;
}

describe("snapshot", () => {
  for (const isCluster of [false, true]) {
    it(`keeps every expiry and leaves out what is gone, ${isCluster ? "in a cluster" : "on one server"}`, async () => {
      const found: Snapshot[] = [];
      const server = serverOf({ forever: -1, gone: -2, last: 0, one: 1, more: 5000 }, isCluster);
      for await (const each of snapshot(server, new AbortController().signal)) found.push(each);
      assertEquals(found, [
        { item: { key: "forever", text: "1" } },
        { item: { key: "last", text: "1", ttl: 1 } },
        { item: { key: "one", text: "1", ttl: 1 } },
        { item: { key: "more", text: "1", ttl: 5000 } },
      ]);
    });
  }
});
