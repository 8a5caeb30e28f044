/**
 * Failures of single commands: what the errors of a client say, without what was written and without passwords.
 *
 * @module
 */

/** Why there is no answer. `sent` is false only where the server cannot have seen the command. */
export class NoAnswer extends Error {
  static {
    this.prototype.name = "NoAnswer";
  }

  /** Whether the command may have reached the server. */
  readonly sent: boolean;
  /** Whether it was the deadline that ended the wait. */
  readonly isLate: boolean;

  /** Tells what is known of the command, and the failure behind it. */
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

  /** The first word of the answer, or one of ours: `"CLOSED"`, `"CONNECT"`, `"LIMIT"`, `"MODE"`. */
  readonly reason: string;

  /** Tells why. */
  constructor(reason: string, cause: unknown) {
    super("The call was refused", { cause });
    this.reason = reason;
  }
}

/** The script stopped half-way: some of the call was applied, and there is no record of it. */
export class Partial extends Error {
  static {
    this.prototype.name = "Partial";
  }

  /** Tells why. */
  constructor(cause: unknown) {
    super("The call was applied in part", { cause });
  }
}

/** The client threw before it sent anything. */
export class Unsent extends Error {
  static {
    this.prototype.name = "Unsent";
  }

  /** Tells why. */
  constructor(cause: unknown) {
    super("The command was not sent", { cause });
  }
}

/** The client cannot be used: what it answers cannot be understood. */
export class Unusable extends TypeError {
  static {
    this.prototype.name = "TypeError";
  }

  /** Tells what is wrong with it, and what to do. */
  constructor(state: string, advice: string) {
    super(`Cannot use the client: ${state}; ${advice}`);
  }
}

/** @returns The error for a client of which an error came that {@linkcode isUnrecognised}. */
export function unrecognised(): Unusable {
  return new Unusable(
    "its errors cannot be told from lost answers",
    'give those that the server answers the name: error.name = "ReplyError"',
  );
}

/** The longest text that V8 can hold, in UTF-16 units, and the longest answer that it can decode, in bytes. */
export const MAX_TEXT = 2 ** 29 - 24;

/** Longer messages are cut, in characters. Those of servers are shorter. */
const MAX_MESSAGE = 300;
/** Shorter texts are found in messages by chance. */
const MIN_SECRET = 5;

/**
 * An error to show: its name, its message and its code. Clients hang the whole command on their errors, and some messages
 * quote it.
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
  // The stack holds the name that an error is made with.
  Object.defineProperty(cause, "name", { value: name, configurable: true, writable: true });
  cause.stack = cause.stack?.replace(/^Error/, name);
  if (typeof code === "string") cause.code = code;
  return cause;
}

/** What is wrong, for errors that say it in their properties. */
function messageOf(error: unknown, message: string): string {
  const { code, address, port, hostname, lastNodeError, errors } = Object(error) as Record<string, unknown>;
  // The client of a cluster tells what is wrong with its nodes behind its own error.
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
    .replace(/,? with args beginning with:.*$/s, "") // Redis quotes arguments of a command that it does not know
    .replace(/ Last reply: .*$/s, ""); // ioredis quotes an answer that nobody waits for
  // Anything else that quotes a command is not from a server that we know, but may come from a client or a proxy.
  for (const part of written) {
    const secret = String(part).replace(/^"|"$/g, "").slice(0, 32);
    if (secret.length >= MIN_SECRET && text.includes(secret)) {
      text = text.slice(0, text.indexOf(secret)) + "...";
    }
  }
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}...` : text;
}

/**
 * What the server answered, where that is what an error tells.
 *
 * @param error What a client has thrown.
 * @returns The message; nothing if the error is no answer: then the command may have been executed.
 */
export function answerOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // A minifier renames the class. That the command is there too is not enough: lost ones have it with auto-pipelining.
  if (error.name === "ReplyError" || Object.hasOwn(error, "command") && isAnswer(error.message)) {
    return error.message;
  }
  // The client of a cluster has tried more than once. What counts is the last answer.
  const last = /^Too many Cluster redirections\. Last error: (?:[\w$]+: )?(.*)$/s.exec(error.message)?.[1];
  return last !== undefined && isAnswer(last) ? last : undefined;
}

function isAnswer(message: string): boolean {
  return /^-?[A-Z][A-Z0-9]+\b/.test(message);
}

/**
 * What an error says of a command that the server answered with it.
 *
 * @param error What a client has thrown.
 * @param written What was sent; none of it is shown.
 * @returns The refusal; nothing if the command may have been executed.
 */
export function toRefused(error: unknown, written?: readonly (string | number)[]): Refused | undefined {
  const answer = answerOf(error);
  return answer === undefined ? undefined : new Refused(wordOf(answer), toCause(error, written));
}

/** Where a script calls a command for which the user has no rights. The name of a user is free text, so it is anchored. */
const NO_RIGHTS =
  /^(?:ERR )*(?:ACL failure in script: |The user executing the script can't )|@user_script: ?\d+: The user executing the script can't /;

/** The word that an error of the server starts with; of one inside a script, where servers put it differently. */
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
 * Whether an error can only be an answer of the server, but its client has not said so.
 *
 * @param error What a client has thrown.
 * @returns Whether the client gives errors that cannot be told from lost answers.
 */
export function isUnrecognised(error: unknown): boolean {
  return answerOf(error) === undefined && SERVER_WORDS.test(String(Object(error).message ?? error));
}

/** Whether the client itself did not want to send the command: it was connected a moment ago, and may not queue. */
export function isUnsent(error: unknown): boolean {
  return error instanceof Unsent || error instanceof Error && error.message.includes("enableOfflineQueue");
}

/** Whether the client sends no commands at all, as its connection is there to listen. It did not send this one. */
export function isListening(error: unknown): boolean {
  return error instanceof Error &&
    /^Connection (?:in subscriber mode, only subscriber|is in monitoring mode, can't)/.test(error.message);
}

/** Whether the answer is longer than a text can be. It is here, and will not get shorter. */
export function isTooLong(error: unknown): boolean {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  return code === "ERR_STRING_TOO_LONG" || error instanceof RangeError && message === "Invalid string length";
}

/** What is wrong for a while only: not yet, not here, not now. The command was not executed. */
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
 * @param error What the client told of its last attempt.
 * @returns The refusal; nothing for what may get better by itself.
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
