/** Tracking: what is left of its connections when those that hear of changes have left. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { EventEmitter } from "node:events";
import type { Line as OwnLine, LineListener, RedisClient } from "../../src/run/client.ts";
import type { Refused } from "../../src/run/failure.ts";
import { type Tracked, Tracking } from "../../src/run/tracking.ts";
import { until } from "../support/until.ts";

const SETTINGS = { heartbeat: 20, timeout: 60_000 };

/** A connection of a tracker, which takes a while to end, as all do. */
class Line extends EventEmitter {
  status = "connecting";
  /** Less than a tracker waits, in milliseconds. */
  slowness = 20;
  answer: (command: string) => unknown = () => "OK";

  connect(): Promise<void> {
    this.status = "ready";
    queueMicrotask(() => this.emit("ready"));
    return Promise.resolve();
  }

  async call(command: string): Promise<unknown> {
    return await this.answer(command);
  }

  disconnect(): void {
    if (this.status === "ending") return;
    this.status = "ending";
    setTimeout(() => {
      this.status = "end";
      this.emit("close");
      this.emit("end");
    }, this.slowness);
  }
}

/** The client of a cluster with some nodes. */
class FakeCluster extends EventEmitter {
  readonly status = "ready";
  readonly lines: Line[] = [];
  ports: number[];

  constructor(...ports: number[]) {
    super();
    this.ports = ports;
  }

  call(): Promise<unknown> {
    return Promise.resolve("OK");
  }

  /** A node with a port below 0 cannot make another connection. */
  nodes(): unknown[] {
    return this.ports.map((port) => ({
      options: { host: "node", port },
      ...(port < 0 ? {} : {
        duplicate: () => {
          const line = new Line();
          this.lines.push(line);
          return line;
        },
      }),
    }));
  }

  join(failed: (refused: Refused) => void = () => {}): Tracked {
    return Tracking.join(this as unknown as RedisClient, "x:", SETTINGS, { changed: () => {}, failed });
  }

  get states(): string[] {
    return this.lines.map(({ status }) => status);
  }
}

describe("Tracking", () => {
  it("Tracking has closed the connection to a node that left when the last listener has left", async () => {
    const cluster = new FakeCluster(1, 2);
    const tracked = cluster.join();
    await tracked.ready;
    cluster.lines[1].slowness = 150;
    cluster.ports = [1];
    await until("the node is given up", () => {
      cluster.emit("refresh");
      return cluster.lines[1].status === "ending";
    });
    await tracked.leave();
    assertEquals(cluster.states, ["end", "end"]);
  });

  it("Tracking has closed its connections when a listener has left after a refusal", async () => {
    const cluster = new FakeCluster(1, 2);
    let refused: Refused | undefined;
    const tracked = cluster.join((it) => refused = it);
    for (const line of cluster.lines) {
      line.answer = () => Promise.reject(Object.assign(new Error("NOPERM no"), { name: "ReplyError" }));
    }
    await until("it was refused", () => refused !== undefined);
    await Promise.all([tracked.leave(), tracked.leave()]);
    assertEquals(cluster.states, ["end", "end"]);
    assertEquals(cluster.eventNames(), ["ready", "close", "end"]); // what is known of a client stays known
  });

  it("Tracking leaves no connection when it cannot start, and starts anew the next time", async () => {
    const cluster = new FakeCluster(1, -2);
    for (let round = 1; round <= 2; round++) {
      assertThrows(() => cluster.join(), Error, "refused");
      assertEquals(cluster.lines.length, round);
    }
    await until("they are closed", () => cluster.states.every((status) => status === "end"));
    cluster.ports = [1];
    const tracked = cluster.join();
    await tracked.ready;
    await tracked.leave();
    assert(cluster.states.every((status) => status === "end"));
  });

  it("Tracking goes on for those who have come since somebody left who leaves once more", async () => {
    let listener: LineListener | undefined;
    const client: RedisClient = {
      call: () => Promise.resolve("OK"),
      listen(it) {
        listener = it;
        queueMicrotask(() => it.ready());
        return {
          call: () => Promise.resolve(7),
          subscribe: () => Promise.resolve(),
          close: () => Promise.resolve(),
        };
      },
    };
    const told: string[] = [];
    const join = (name: string): Tracked =>
      Tracking.join(client, "x:", { heartbeat: 60_000, timeout: 60_000 }, {
        name,
        changed: (changed) => void told.push(`${name}: ${changed}`),
        failed: () => {},
      });
    const [other, first] = [join("x:b"), join("x:a")];
    await first.ready;
    await first.leave();
    const second = join("x:a");
    await first.leave();
    listener!.told(["x:a"]);
    assertEquals(told.filter((it) => !it.endsWith("undefined")), ["x:a: x:a"]);
    await Promise.all([second.leave(), other.leave()]);
  });

  it("Tracking works by the method listen of a client, by RESP3 where REDIRECT is refused, and lets go", async () => {
    const log: string[] = [];
    const listeners: LineListener[] = [];
    const listen = (listener: LineListener): OwnLine => {
      listeners.push(listener);
      if (listeners.length === 1) throw new Error("not yet");
      queueMicrotask(() => listener.ready());
      return {
        call: (command, ...args) => {
          log.push([command, ...args].join(" "));
          const isRefused = args.includes("REDIRECT");
          return isRefused
            ? Promise.reject(Object.assign(new Error("ERR no REDIRECT"), { name: "ReplyError" }))
            : Promise.resolve(7);
        },
        subscribe: (channel) => Promise.resolve(log.push(`subscribe ${channel}`)),
        close: () => Promise.resolve(void log.push(`closed ${listener.protocol}`)),
      };
    };
    const told: (string | undefined)[] = [];
    const client: RedisClient = { call: () => Promise.resolve("OK"), listen };
    const settings = { heartbeat: 60_000, timeout: 60_000 };
    const changed = (name: string | undefined): void => void told.push(name);
    const tracked = Tracking.join(client, "x:", settings, { changed, failed: () => {} });
    tracked.hold(true); // nothing else keeps the process alive
    await tracked.ready;
    assertEquals(log, [
      "CLIENT ID",
      "CLIENT TRACKING ON REDIRECT 7 BCAST PREFIX x:",
      "closed 2",
      "CLIENT TRACKING OFF",
      "CLIENT TRACKING ON BCAST PREFIX x:",
    ]);
    assertEquals(listeners.map(({ protocol }) => protocol), [2, 2, 3]);
    await until("all is to be read", () => told.length === 1);
    listeners[1].told(["x:late"]); // of a connection that was given up
    listeners[2].told([
      "x:a",
      new TextEncoder().encode("x:\u00e9"),
      "other",
      "x:json-dict:op:{a}123456789012",
    ]);
    listeners[2].told(undefined);
    assertEquals(told, [undefined, "x:a", "x:\u00e9", undefined]);
    listeners[2].lost(new Error("gone"));
    assertEquals(tracked.isFresh, false);
    await until("it is back", () => tracked.isFresh);
    assertEquals(listeners.map(({ protocol }) => protocol), [2, 2, 3, 3]);
    await tracked.leave();
    assertEquals(log.filter((line) => line.startsWith("closed")), ["closed 2", "closed 3", "closed 3"]);
  });
});
