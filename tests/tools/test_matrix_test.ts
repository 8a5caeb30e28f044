import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { run } from "../../tools/command.ts";
import { cacheFolder } from "../../tools/debian_packages.ts";
import { findRedis } from "../../tools/redis_server.ts";
import { fetchServer } from "../../tools/test_matrix.ts";

const TRIPLET = `${Deno.build.arch}-linux-gnu`;
const PROGRAM = "redis-server";

/** The place of a program or a file of this machine. */
async function locate(command: string, ...args: string[]): Promise<string> {
  const { ok, output } = await run(command, args);
  assert(ok, output);
  return output.trim();
}

describe("fetchServer()", () => {
  // The programs of the matrix are those of Debian.
  const onLinux = Deno.build.os === "linux" ? it : it.skip;

  onLinux(
    "fetchServer() gives a program that starts the unpacked server by the loader beside it",
    async () => {
      const suite = `test-${crypto.randomUUID()}`;
      const root = cacheFolder(`${PROGRAM}-${suite}`);
      const lib = `${root}/usr/lib/${TRIPLET}`;
      const { path, env } = await findRedis();
      try {
        await Deno.mkdir(`${root}/usr/bin`, { recursive: true });
        await Deno.mkdir(lib, { recursive: true });
        const binary = path.includes("/") ? path : await locate("sh", "-c", `command -v ${path}`);
        const folders = ["/usr/lib", "/lib"].map((folder) => `${folder}/${TRIPLET}`);
        const libraries = [...(env.LD_LIBRARY_PATH?.split(":") ?? []), ...folders];
        await Deno.symlink(binary, `${root}/usr/bin/${PROGRAM}`);
        for (const folder of libraries.filter(isFolder)) {
          for await (const { name } of Deno.readDir(folder)) {
            if (!/\.so(\.|$)/.test(name)) continue;
            await Deno.symlink(`${folder}/${name}`, `${lib}/${name}`).catch(ignoreExisting);
          }
        }
        const server = await fetchServer({ name: "own", suite, program: PROGRAM });
        assert("path" in server, JSON.stringify(server));
        assertEquals(server.path, `${root}/server`);
        const { ok, output } = await run(server.path, ["--version"]);
        assert(ok, output);
        assertEquals(output, (await run(path, ["--version"], { env: { ...env } })).output);
        assertMatch(await Deno.readTextFile(server.path), new RegExp(`exec ${lib}/ld-linux`));
      } finally {
        await Deno.remove(root, { recursive: true });
      }
    },
  );

  it("fetchServer() says why there is no server, and what to set instead", async () => {
    const server = await fetchServer({ name: "none", suite: "no-such-suite", program: PROGRAM });
    assert("problem" in server);
    assertMatch(server.problem, /apt-get.*REDIS_SERVER.*REDIS_URL/s);
  });

  onLinux("fetchServer() asks no other archive than those of the machine's own apt", async () => {
    const folder = await Deno.makeTempDir();
    const before = Deno.env.get("APT_CONFIG");
    try {
      // As on a machine without sources, or with those of another distribution.
      const settings = ['Dir::Etc::sourcelist "/dev/null";', 'Dir::Etc::sourceparts "/dev/null";'];
      await Deno.writeTextFile(`${folder}/apt.conf`, settings.join("\n"));
      Deno.env.set("APT_CONFIG", `${folder}/apt.conf`);
      const server = await fetchServer({ name: "none", suite: "no-such-suite", program: PROGRAM });
      assert("problem" in server);
      assertMatch(server.problem, /apt.*REDIS_SERVER.*REDIS_URL/s);
      assert(!/https?:/.test(server.problem), server.problem);
    } finally {
      if (before === undefined) Deno.env.delete("APT_CONFIG");
      else Deno.env.set("APT_CONFIG", before);
      await Deno.remove(folder, { recursive: true });
    }
  });
});

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
}
