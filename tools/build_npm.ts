/**
 * Builds the npm release with dnt: ES modules, CommonJS and types in `npm/dnt`.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { addProgram, BUNDLED, PACKAGE } from "./npm_package.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const OUT = `${ROOT}npm/dnt`;

// Loaded when needed: where JSR is out of reach everything but this build works, and this one says what to do.
const { build, emptyDir } = await import("@deno/dnt").catch((error: Error) => {
  console.error(`Cannot load @deno/dnt from JSR: ${error.message.split("\n")[0]}`);
  console.error("Without JSR use `deno task pack`, which makes a tarball for npm with Deno alone");
  Deno.exit(1);
});

await emptyDir(OUT);
await build({
  entryPoints: Object.entries(config.exports).map(([name, path]) => ({ name, path: ROOT + path })),
  outDir: OUT,
  importMap: `${ROOT}deno.json`,
  shims: {},
  // Its types for them would be declared for all code of whoever uses the package; all runtimes that count have both.
  polyfills: { objectHasOwn: false, errorCause: false },
  test: false,
  typeCheck: "both",
  compilerOptions: { lib: ["ESNext"], target: "ES2022" },
  package: {
    ...PACKAGE,
    keywords: [...PACKAGE.keywords],
    name: config.name,
    version: config.version,
    license: config.license,
    devDependencies: { "@types/node": "^20" },
  },
  async postBuild() {
    // dnt writes an own package.json for each kind of module: the program, an ES module, is beside neither.
    const manifest = `${OUT}/package.json`;
    const whole = JSON.parse(Deno.readTextFileSync(manifest));
    delete whole.dependencies[BUNDLED];
    Deno.writeTextFileSync(manifest, JSON.stringify(whole, null, 2) + "\n");
    await addProgram(OUT, { esm: "esm", script: "cjs" });
    Deno.writeTextFileSync(`${OUT}/bin/package.json`, '{ "type": "module" }\n');
    // Bundlers look for it in the nearest package.json, which here is the one that dnt puts beside the modules.
    const esm = `${OUT}/esm/package.json`;
    const { sideEffects } = PACKAGE;
    Deno.writeTextFileSync(esm, JSON.stringify({ ...JSON.parse(Deno.readTextFileSync(esm)), sideEffects }));
    Deno.mkdirSync(`${OUT}/docs`, { recursive: true });
    const docs = [...Deno.readDirSync(`${ROOT}docs`)].map(({ name }) => `docs/${name}`);
    for (const file of ["README.md", "LICENSE", "CHANGELOG.md", ...docs]) {
      Deno.copyFileSync(ROOT + file, `${OUT}/${file}`);
    }
  },
});
