/**
 * The argument parser. Nothing else imports it, so that the npm package can carry it in one file.
 *
 * @module
 */

export { Command, CommanderError, Option } from "commander";
