/**
 * Errors that a server has answered.
 *
 * @module
 */

/** The error that a server answered to a command. The dictionary knows it by its name. */
export class ReplyError extends Error {
  static {
    this.prototype.name = "ReplyError";
  }
}
