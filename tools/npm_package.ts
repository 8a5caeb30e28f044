/**
 * What package.json says beyond deno.json, for both npm builds.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

/** Fields of package.json that no build tool takes from deno.json. */
export const PACKAGE = {
  description: config.description,
  keywords: ["redis", "valkey", "json", "dictionary", "map", "atomic", "lua", "ioredis", "metadata"],
  engines: { node: "^20.19 || >=22.12" },
  sideEffects: false,
} as const;
