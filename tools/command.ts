/**
 * Runs other programs.
 *
 * @module
 */

/** What a command printed, and whether it succeeded. */
export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs a command and collects what it prints; a command that does not exist is a failed one. */
export async function run(
  command: string,
  args: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<Outcome> {
  try {
    const done = await new Deno.Command(command, {
      ...options,
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder();
    return { ok: done.success, output: text.decode(done.stdout) + text.decode(done.stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return { ok: false, output: `${command}: ${error.message}` };
    }
    throw error;
  }
}
