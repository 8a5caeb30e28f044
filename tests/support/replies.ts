/** The replies of a script, whichever form its answer has. */

/**
 * The replies of a script, one for each op.
 *
 * @param answer What the script answered: a list, or the reply alone of one op that went the short way; behind that of
 * one op in a long value stands a hint for the next call.
 * @param count The number of ops.
 */
export function repliesOf(answer: unknown, count: number): unknown {
  if (count !== 1) return answer;
  if (!Array.isArray(answer)) return [answer];
  return answer.length === 2 ? answer.slice(0, 1) : answer;
}
