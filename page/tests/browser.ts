/**
 * A headless Chromium with pages of `json-dict inspect`.
 *
 * @module
 */

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { runProgram } from "../../src/cli/program.ts";
import { TestTerminal } from "../../tests/support/test_terminal.ts";
import { until } from "../../tests/support/until.ts";
import { findChromium } from "../../tools/chromium.ts";

/** It asks nobody but the page. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How a page looks. */
export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly touch?: boolean;
}

/** A browser, started once. */
export class Chromium implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Starts it. Playwright gives it a new empty folder, and removes that at the end. */
  static async start(): Promise<Chromium> {
    const { path, env } = await findChromium();
    const browser = await chromium.launch({
      executablePath: path,
      headless: true,
      args: FLAGS,
      timeout: 180_000, // the first start on a slow machine reads all of it from the disk
      env: { ...Deno.env.toObject(), ...env },
    });
    return new Chromium(browser);
  }

  /** Opens a page, as another person would. */
  async open(
    url: string,
    { width = 1280, height = 800, dark = false, touch = false }: Look = {},
  ): Promise<Page> {
    const context: BrowserContext = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      hasTouch: touch,
    });
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** `json-dict inspect`, as it runs in a terminal. */
export class Inspect implements AsyncDisposable {
  readonly url: string;
  readonly terminal: TestTerminal;
  readonly #ended: Promise<number>;

  private constructor(url: string, terminal: TestTerminal, ended: Promise<number>) {
    this.url = url;
    this.terminal = terminal;
    this.#ended = ended;
  }

  /** Starts it. */
  static async start(env: Readonly<Record<string, string>>, ...options: readonly string[]): Promise<Inspect> {
    const terminal = new TestTerminal(env);
    const ended = runProgram(["inspect", ...options], terminal);
    await until("the address is there", () => terminal.out !== "" || terminal.err !== "");
    if (terminal.out === "") throw new Error(terminal.err);
    return new Inspect((JSON.parse(terminal.out) as { url: string }).url, terminal, ended);
  }

  /** Ends it, as Ctrl-C does. Returns the exit code. */
  async end(): Promise<number> {
    this.terminal.interruption.abort();
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
