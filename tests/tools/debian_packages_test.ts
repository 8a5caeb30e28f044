import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import { cacheFolder, lockCache } from "../../tools/debian_packages.ts";

describe("lockCache()", () => {
  it("lockCache() lets one after the other fetch the same, and nobody wait for another name", async () => {
    const [name, other] = [crypto.randomUUID(), crypto.randomUUID()].map((id) => `test-${id}`);
    const file = await Deno.makeTempFile();
    const increment = async (): Promise<void> => {
      using _lock = await lockCache(name);
      const before = Number(await Deno.readTextFile(file));
      await Deno.writeTextFile(file, String(before + 1));
    };
    try {
      await Promise.all(Array.from({ length: 20 }, increment));
      assertEquals(await Deno.readTextFile(file), "20");
      using _held = await lockCache(name);
      using _free = await lockCache(other);
    } finally {
      for (const it of [file, `${cacheFolder(name)}.lock`, `${cacheFolder(other)}.lock`]) {
        await Deno.remove(it).catch(() => {});
      }
    }
  });
});
