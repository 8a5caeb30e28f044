/**
 * Failures: what the errors of a client mean, without what was written and without passwords, and the errors that
 * callers get.
 *
 * @module
 */

import type { Json } from "../data/json.ts";
import type { Path } from "../data/path.ts";
import {
  AmbiguousResultError,
  DurabilityError,
  TimeoutError,
  UnavailableError,
  type Verdict,
} from "../errors/delivery.ts";
import { LimitError, WrongTypeError } from "../errors/value.ts";

/** There is no answer. `sent` is false only if the server cannot have received the command. */
export class NoAnswer extends Error {
  static {
    this.prototype.name = "NoAnswer";
  }

  /** Whether the command may have reached the server. */
  readonly sent: boolean;
  /** Whether the wait ended by the deadline. */
  readonly isLate: boolean;

  /** @param cause The failure behind it, if one is known. */
  constructor(sent: boolean, isLate: boolean, cause?: unknown) {
    super("There is no answer", { cause });
    this.sent = sent;
    this.isLate = isLate;
  }
}

/** The server, or the client, refused to run the command: it is certain to have changed nothing. */
export class Refused extends Error {
  static {
    this.prototype.name = "Refused";
  }

  /** The first word of the reply, or one of ours: `"CLOSED"`, `"LIMIT"`, `"MODE"`, `"SIZE"`, `"TLS"`, `"VERSION"`. */
  readonly reason: string;

  /** Reports the cause. */
  constructor(reason: string, cause: unknown) {
    super("The call was refused", { cause });
    this.reason = reason;
  }
}

/** The script stopped half-way: some of the call was applied, and there is no record of it. */
export class PartlyApplied extends Error {
  static {
    this.prototype.name = "PartlyApplied";
  }

  /** Reports the cause. */
  constructor(cause: unknown) {
    super("The call was applied in part", { cause });
  }
}

/** The client threw before it sent anything. */
export class Unsent extends Error {
  static {
    this.prototype.name = "Unsent";
  }

  /** Reports the cause. */
  constructor(cause: unknown) {
    super("The command was not sent", { cause });
  }
}

/** The client cannot be used: its replies or errors cannot be understood. */
export class Unusable extends TypeError {
  static {
    this.prototype.name = "TypeError";
  }

  /** @param advice What to do about the state. */
  constructor(state: string, advice: string) {
    super(`Cannot use the client: ${state}; ${advice}`);
  }
}

/** The error for a client that has thrown an error that {@linkcode isUnrecognised}. */
export function unrecognised(): Unusable {
  return new Unusable(
    "its errors cannot be told from lost answers",
    'set error.name = "ReplyError" on the errors that the server replies',
  );
}

/** The longest text that V8 can hold, in UTF-16 units, and the longest answer that it can decode, in bytes. */
export const MAX_TEXT = 2 ** 29 - 24;

/** Longer messages are cut, in characters. Messages of servers are shorter. */
const MAX_MESSAGE = 300;
/** Shorter texts occur in messages by chance, so they are not treated as secrets. */
const MIN_SECRET = 5;

/**
 * A copy of an error that is safe to show: its name, message and code. Clients attach the whole command to their errors,
 * and some messages quote it.
 *
 * @param error What a client has thrown.
 * @param written What was sent; none of it is shown.
 * @returns A new error.
 */
export function toCause(error: unknown, written: readonly (string | number)[] = []): Error {
  const { message, name, code } = error instanceof Error
    ? error as Error & { code?: unknown }
    : { message: String(error), name: "Error", code: undefined };
  const cause: Error & { code?: string } = new Error(withoutSecrets(messageOf(error, message), written));
  // The stack starts with the name at construction.
  Object.defineProperty(cause, "name", { value: name, configurable: true, writable: true });
  cause.stack = cause.stack?.replace(/^Error/, name);
  if (typeof code === "string") cause.code = code;
  return cause;
}

/** The message; of errors that keep the reason in their properties, the reason. */
function messageOf(error: unknown, message: string): string {
  const { code, address, port, hostname, lastNodeError, errors } = Object(error) as Record<string, unknown>;
  // The client of a cluster keeps the error of its node in a property of its own error.
  if (lastNodeError instanceof Error) return messageOf(lastNodeError, lastNodeError.message);
  // A host with several addresses fails with one error for each.
  if (message === "" && Array.isArray(errors) && errors[0] instanceof Error) {
    return messageOf(errors[0], errors[0].message);
  }
  if (typeof code !== "string" || !/^E[A-Z]+$/.test(code)) return message;
  if (typeof address === "string") return `${code} ${address}${port === undefined ? "" : `:${port}`}`;
  return typeof hostname === "string" ? `${code} ${hostname}` : message;
}

function withoutSecrets(message: string, written: readonly (string | number)[]): string {
  let text = message
    .replace(/,? with args beginning with:.*$/s, "") // Redis quotes the arguments of an unknown command
    .replace(/ Last reply: .*$/s, ""); // ioredis quotes a reply that no command waits for
  // No known server quotes commands otherwise, but another client or a proxy may.
  for (const part of written) {
    const secret = String(part).replace(/^"|"$/g, "").slice(0, 32);
    if (secret.length >= MIN_SECRET && text.includes(secret)) {
      text = text.slice(0, text.indexOf(secret)) + "...";
    }
  }
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}...` : text;
}

/**
 * The reply of the server, if an error is one.
 *
 * @param error What a client has thrown.
 * @returns The message; `undefined` if the error is no reply: then the command may have been executed.
 */
export function answerOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // A minifier renames the class. The property `command` is no proof: with auto-pipelining, lost commands have it too.
  if (error.name === "ReplyError" || Object.hasOwn(error, "command") && isAnswer(error.message)) {
    return error.message;
  }
  // The client of a cluster has tried several times. The last reply counts.
  const last = /^Too many Cluster redirections\. Last error: (?:[\w$]+: )?(.*)$/s.exec(error.message)?.[1];
  return last !== undefined && isAnswer(last) ? last : undefined;
}

function isAnswer(message: string): boolean {
  return /^-?[A-Z][A-Z0-9]+\b/.test(message);
}

/**
 * Reads an error as a refusal of the server.
 *
 * @param error What a client has thrown.
 * @param written What was sent; none of it is shown.
 * @returns The refusal; nothing if the command may have been executed.
 */
export function toRefused(error: unknown, written?: readonly (string | number)[]): Refused | undefined {
  const answer = answerOf(error);
  return answer === undefined ? undefined : new Refused(wordOf(answer), toCause(error, written));
}

/** A script called a command that the user has no right to. Anchored, because the name of a user is free text. */
const NO_RIGHTS =
  /^(?:ERR )*(?:ACL failure in script: |The user executing the script can't )|@user_script: ?\d+: The user executing the script can't /;

/** The word that an error of the server starts with. Servers put it elsewhere in errors raised inside a script. */
function wordOf(message: string): string {
  const first = /^-?([A-Z][A-Z0-9]*)\b/.exec(message)?.[1];
  if (first !== undefined && first !== "ERR") return first;
  if (NO_RIGHTS.test(message)) return "NOPERM";
  return /@user_script: ?\d+: -?([A-Z]+) (?!.*@user_script:)/s.exec(message)?.[1] ?? "ERR";
}

/** Words that only servers start their errors with. */
const SERVER_WORDS =
  /(?:^|: )-?(?:NOSCRIPT|NOPERM|NOAUTH|WRONGTYPE|OOM|LOADING|BUSY|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|ERR unknown)\b/;

/**
 * Whether an error can only be a reply of the server, but the client has not marked it as one.
 *
 * @param error What a client has thrown.
 * @returns Whether the errors of the client cannot be distinguished from lost answers.
 */
export function isUnrecognised(error: unknown): boolean {
  return answerOf(error) === undefined && SERVER_WORDS.test(String(Object(error).message ?? error));
}

/** Whether the client did not send the command: the connection was just lost, and the client may not queue. */
export function isUnsent(error: unknown): boolean {
  return error instanceof Unsent || error instanceof Error && error.message.includes("enableOfflineQueue");
}

/** Whether the client did not send the command because its connection subscribes or monitors. */
export function isListening(error: unknown): boolean {
  return error instanceof Error &&
    /^Connection (?:in subscriber mode, only subscriber|is in monitoring mode, can't)/.test(error.message);
}

/** Whether the reply is longer than a string can be. A retry would not help. */
export function isTooLong(error: unknown): boolean {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  return code === "ERR_STRING_TOO_LONG" || error instanceof RangeError && message === "Invalid string length";
}

/** Refusals that may pass by themselves. The command was not executed. */
const TRANSIENT: ReadonlySet<string> = new Set([
  "LOADING",
  "TRYAGAIN",
  "MOVED",
  "ASK",
  "CLUSTERDOWN",
  "MASTERDOWN",
  "READONLY",
  "BUSY",
  "NOREPLICAS",
  "LATE",
]);

/** Whether a refused command may be accepted later. */
export function isTransient({ reason }: { readonly reason: string }): boolean {
  return TRANSIENT.has(reason);
}

/**
 * Why a client cannot connect, if waiting will not help: what is wrong is in its settings.
 *
 * @param error The error of the last attempt to connect.
 * @returns The refusal; `undefined` if the failure may pass by itself.
 */
export function toHopeless(error: unknown): Refused | undefined {
  const refused = toRefused(error);
  if (refused !== undefined) {
    const isForGood = /^(?:WRONGPASS|NOAUTH|NOPERM)$/.test(refused.reason) ||
      /^ERR (?:DB index is out of range|invalid DB index|SELECT is not allowed|AUTH )/.test(
        (refused.cause as Error).message,
      );
    return isForGood ? refused : undefined;
  }
  const { code, message, lastNodeError } = Object(error) as Record<string, unknown>;
  if (lastNodeError instanceof Error) return toHopeless(lastNodeError);
  const isTls =
    /^(?:ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_|INVALID_CA|EPROTO$)/;
  return isTls.test(String(code)) ||
      /\b(?:invalid peer certificate|InvalidContentType)\b/.test(String(message))
    ? new Refused("TLS", toCause(error))
    : undefined;
}

/** A change whose answer was lost, and its record. */
export class LostAnswer extends Error {
  /** The id of the call, and the function that finds out by its record whether the change was applied. */
  readonly record: { readonly callId: string; readonly resolve: () => Promise<Verdict> };

  /** Reports what is known. */
  constructor(cause: unknown, callId: string, resolve: () => Promise<Verdict>) {
    super("There is no answer", { cause });
    this.record = { callId, resolve };
  }
}

/** A change that was applied, but is not known to have reached enough replicas. */
export class TooFewReplicas extends Error {
  /** How many should have it. */
  readonly replicas: number;
  /** How many have it. */
  readonly acknowledged: number;
  /** The result of the change. */
  readonly result: Json | undefined;

  /** Reports what is known. */
  constructor(cause: unknown, replicas: number, acknowledged: number, result: Json | undefined) {
    super("Too few replicas have it", { cause });
    this.replicas = replicas;
    this.acknowledged = acknowledged;
    this.result = result;
  }
}

/** The call that failed, for the message of an error. */
export interface Failing {
  /** The method that the caller used. */
  readonly operation: string;
  /** The path; empty if the call concerned no single key. */
  readonly path: Path;
  /** How long the call might take, in milliseconds. */
  readonly timeout: number;
}

/**
 * The error that a caller gets when a read failed.
 *
 * @param error The inner failure.
 * @param failing The call.
 * @returns An error of the library; the given error if it is not one of this module.
 */
export function toReadError(error: unknown, { operation, path, timeout }: Failing): unknown {
  if (error instanceof NoAnswer) {
    const { cause } = error;
    if (cause instanceof Unusable) return cause;
    if (!error.isLate) return new UnavailableError({ operation, path, reason: "CLOSED", cause });
    return new TimeoutError({ operation, path, timeout, cause });
  }
  if (!(error instanceof Refused)) return error;
  const { reason, cause } = error;
  if (reason === "LIMIT") {
    return new LimitError({ operation, path, limit: "bytes", maximum: MAX_TEXT, cause });
  }
  if (reason === "WRONGTYPE") return new WrongTypeError({ operation, path, cause });
  return new UnavailableError({ operation, path, reason, cause });
}

/**
 * The error that a caller gets when a change failed.
 *
 * @param error The inner failure.
 * @param failing The call.
 * @returns An error of the library; the given error if it is not one of this module.
 */
export function toChangeError(error: unknown, failing: Failing): unknown {
  const { operation, path } = failing;
  if (error instanceof LostAnswer) {
    return new AmbiguousResultError({ operation, path, cause: error.cause, record: error.record });
  }
  if (error instanceof TooFewReplicas) {
    const { replicas, acknowledged, result, cause } = error;
    return new DurabilityError({ operation, path, replicas, acknowledged, result, cause });
  }
  if (error instanceof PartlyApplied) {
    return new AmbiguousResultError({ operation, path, cause: error.cause, isPartial: true });
  }
  if (error instanceof NoAnswer && error.sent) {
    return new AmbiguousResultError({ operation, path, cause: error.cause });
  }
  return toReadError(error, failing);
}
