/**
 * A page that shows a value as it changes: one document that follows, and any number of browsers.
 *
 * The server subscribes each browser to the document and sends it the snapshot after each change, as an event. A press
 * of the button changes the document; so may any other program: `SET page:counter '{"clicks":7}'` in redis-cli.
 *
 * Run it: `REDIS_URL=redis://localhost:6379 deno run -A examples/page.ts`, then open http://127.0.0.1:8000/
 *
 * @module
 */

import { RedisJsonDict } from "@json-dict/redis";

const url = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
const [prefix = "page:", port = "8000"] = Deno.args;
const interruption = new AbortController();
Deno.addSignalListener("SIGINT", () => interruption.abort());

const PAGE = `<!doctype html>
<title>Clicks</title>
<h1 id="clicks">…</h1>
<button onclick="fetch('/click', { method: 'POST' })">Click</button>
<script>
  new EventSource("/events").onmessage = ({ data }) => {
    document.querySelector("#clicks").textContent = JSON.parse(data)?.clicks ?? "nothing there";
  };
</script>`;

await using pages = RedisJsonDict.connect<{ counter: { clicks: number } }>(url, { prefix });
await pages.getOrInsert("counter", { clicks: 0 });
await using counter = await pages.at("counter").live({ follow: true });

/** The value, now and after each change, as long as the browser is there. */
function events(): ReadableStream<Uint8Array> {
  let stop: () => void;
  return new ReadableStream<string>({
    start(browser) {
      const send = (): void => browser.enqueue(`data: ${JSON.stringify(counter.snapshot() ?? null)}\n\n`);
      const unsubscribe = counter.subscribe(send);
      stop = () => {
        unsubscribe();
        interruption.signal.removeEventListener("abort", end);
      };
      const end = (): void => {
        stop();
        browser.close();
      };
      interruption.signal.addEventListener("abort", end);
      send();
    },
    cancel: () => stop(),
  }).pipeThrough(new TextEncoderStream());
}

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  signal: interruption.signal,
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/`),
}, async (request) => {
  switch (`${request.method} ${new URL(request.url).pathname}`) {
    case "GET /":
      return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } });
    case "GET /events":
      return new Response(events(), { headers: { "content-type": "text/event-stream" } });
    case "POST /click":
      await pages.at("counter", "clicks").increment(1, { parents: true }); // counts every click of every server
      return new Response(null, { status: 204 });
    default:
      return new Response("Not found", { status: 404 });
  }
});
await server.finished;
