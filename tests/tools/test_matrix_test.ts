import { describe, it } from "@std/testing/bdd";
import { assert, assertMatch } from "@std/assert";
import { fetchServer } from "../../tools/test_matrix.ts";

describe("fetchServer()", () => {
  it("fetchServer() gives a program that is the server, or says why there is none", async () => {
    const server = await fetchServer({ name: "none", suite: "no-such-suite", program: "redis-server" });
    assert("problem" in server);
    assertMatch(server.problem, /apt-get/);
  });
});
