/**
 * The part of `@std/testing/bdd` that the tests use, over `Deno.test`, for machines that cannot reach JSR.
 *
 * As there, each outermost suite is one test and everything in it a step, so the sanitizers look at the same pieces.
 *
 * @module
 */

/** The body of a test. */
export type TestBody = (t: Deno.TestContext) => void | Promise<void>;
type Hook = () => void | Promise<void>;

interface Test {
  readonly kind: "test";
  readonly name: string;
  readonly body: TestBody;
  readonly mode: Mode;
}

interface Suite {
  readonly kind: "suite";
  readonly name: string;
  readonly mode: Mode;
  readonly children: (Test | Suite)[];
  readonly beforeAll: Hook[];
  readonly afterAll: Hook[];
  readonly beforeEach: Hook[];
  readonly afterEach: Hook[];
}

type Mode = "run" | "only" | "skip";
type HookName = "beforeAll" | "afterAll" | "beforeEach" | "afterEach";

let current: Suite | undefined;

function declareSuite(mode: Mode, name: string, body: () => void): void {
  const suite: Suite = {
    kind: "suite",
    name,
    mode,
    children: [],
    beforeAll: [],
    afterAll: [],
    beforeEach: [],
    afterEach: [],
  };
  const outer = current;
  current = suite;
  try {
    // A body that is async would declare its tests after they were collected.
    const result: unknown = body();
    if (result instanceof Promise) {
      throw new TypeError(`Cannot describe ${JSON.stringify(name)}: its body is async`);
    }
  } finally {
    current = outer;
  }
  if (outer) outer.children.push(suite);
  else register(name, hasOnly(suite) ? "only" : mode, (t) => runSuite(suite, t, [], hasOnly(suite)));
}

function declareTest(mode: Mode, name: string, body: TestBody): void {
  if (current) current.children.push({ kind: "test", name, body, mode });
  else register(name, mode, body);
}

function register(name: string, mode: Mode, fn: TestBody): void {
  Deno.test({ name, fn, only: mode === "only", ignore: mode === "skip" });
}

function hasOnly(node: Test | Suite): boolean {
  return node.mode === "only" || (node.kind === "suite" && node.children.some(hasOnly));
}

/** @param around The suites that this one is in, outermost first. */
async function runSuite(
  suite: Suite,
  t: Deno.TestContext,
  around: readonly Suite[],
  onlyMarked: boolean,
): Promise<void> {
  const suites = [...around, suite];
  // Once a marked suite is entered, all of it runs unless something in it is marked again.
  const narrow = onlyMarked && suite.children.some(hasOnly);
  await runAll(suite.beforeAll);
  try {
    for (const child of suite.children) {
      await t.step({
        name: child.name,
        ignore: child.mode === "skip" || (narrow && !hasOnly(child)),
        fn: (step) =>
          child.kind === "suite" ? runSuite(child, step, suites, narrow) : runTest(child, step, suites),
      });
    }
  } finally {
    await runAll(suite.afterAll);
  }
}

/** What a suite prepares it also cleans up, but not if the preparation has failed. */
async function runTest(test: Test, t: Deno.TestContext, suites: readonly Suite[]): Promise<void> {
  if (suites.length === 0) return await test.body(t);
  const [outermost, ...others] = suites;
  await runAll(outermost.beforeEach);
  try {
    await runTest(test, t, others);
  } finally {
    await runAll(outermost.afterEach);
  }
}

async function runAll(hooks: readonly Hook[]): Promise<void> {
  for (const hook of hooks) await hook();
}

function addHook(name: HookName, hook: Hook): void {
  if (current) current[name].push(hook);
  else Deno.test[name](hook);
}

/** Declares a suite; its body declares tests, hooks and suites. */
export const describe = Object.assign(declareSuite.bind(undefined, "run"), {
  only: declareSuite.bind(undefined, "only"),
  skip: declareSuite.bind(undefined, "skip"),
  ignore: declareSuite.bind(undefined, "skip"),
});

/** Declares a test. */
export const it = Object.assign(declareTest.bind(undefined, "run"), {
  only: declareTest.bind(undefined, "only"),
  skip: declareTest.bind(undefined, "skip"),
  ignore: declareTest.bind(undefined, "skip"),
});

/** Runs once before the tests of the suite. */
export function beforeAll(hook: Hook): void {
  addHook("beforeAll", hook);
}

/** Runs once after the tests of the suite, also when one failed. */
export function afterAll(hook: Hook): void {
  addHook("afterAll", hook);
}

/** Runs before each test of the suite and of the suites in it. */
export function beforeEach(hook: Hook): void {
  addHook("beforeEach", hook);
}

/** Runs after each test of the suite and of the suites in it, also when it failed. */
export function afterEach(hook: Hook): void {
  addHook("afterEach", hook);
}
