/**
 * The server of the inspector, as the page asks it.
 *
 * @module
 */

import type { Message, Result, Row, ValueText } from "../src/cli/inspector.ts";
import type { About } from "../src/cli/inspect_server.ts";

/** Why the server gave no answer. */
export class ServerError extends Error {
  /** 0 if it cannot be reached. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** An op as the page sends it. */
export interface PageOp {
  readonly kind: string;
  readonly path: readonly (string | number)[];
  readonly value?: string;
  readonly items?: readonly string[];
  readonly count?: number;
  readonly ttl?: number;
}

const TOKEN = takeToken();

/** The secret comes behind the `#` of the address. It is kept for this tab, and does not stay in the address. */
function takeToken(): string {
  const given = location.hash.slice(1);
  if (given !== "") {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") ?? "";
}

async function post(route: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  if (TOKEN === "") throw new ServerError(401, "");
  let response: Response;
  try {
    response = await fetch(route, {
      method: "POST",
      headers: { "Authorization": `Bearer ${TOKEN}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
      ...{ cache: "no-store", credentials: "omit", redirect: "error" },
      ...signal ? { signal } : {},
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ServerError(0, "The inspector does not answer");
  }
  if (response.ok) return response;
  const text = await response.text();
  const message = text.startsWith("{") ? (JSON.parse(text) as { error: string }).error : "";
  throw new ServerError(response.status, message || `The inspector refuses this (${response.status})`);
}

/** Reads a body piece by piece, split at a text. */
async function* split(response: Response, separator: string): AsyncGenerator<string> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split(separator);
    rest = parts.pop()!;
    yield* parts;
  }
}

/** Reads the list of keys, as they are found. Returns whether there are more. */
export async function listKeys(
  contains: string,
  take: (rows: readonly Row[]) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const response = await post("/keys", { contains }, signal);
  for await (const line of split(response, "\n")) {
    const part = JSON.parse(line) as {
      readonly rows?: readonly Row[];
      readonly isCut?: boolean;
      readonly error?: string;
    };
    if (part.error !== undefined) throw new ServerError(500, part.error);
    if (part.rows) take(part.rows);
    else return part.isCut === true;
  }
  throw new ServerError(0, "The inspector does not answer");
}

/** Reads a value. */
export async function readValue(
  key: string,
  have: number | undefined,
): Promise<ValueText | { readonly missing: true }> {
  const response = await post("/value", { key, have });
  return await response.json();
}

/** Applies ops to one value, all of them or none. */
export async function sendOps(key: string, ops: readonly PageOp[]): Promise<Result> {
  const response = await post("/ops", { key, ops });
  return await response.json();
}

/** Removes a damaged value, if it still is what the page shows. */
export async function removeDamaged(key: string, seen: string): Promise<Result> {
  const response = await post("/ops", { key, damaged: seen });
  return await response.json();
}

/** Hears of changes until the signal, or the server, ends it. */
export async function hear(
  take: (message: Message | { readonly about: About }) => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await post("/events", {}, signal);
  for await (const event of split(response, "\n\n")) {
    if (event.startsWith("data: ")) take(JSON.parse(event.slice("data: ".length)));
  }
  throw new ServerError(0, "The inspector does not answer");
}
