// Follows a turn's stream with npm's `eventsource`, hanging up once on the way; prints each id.
import { EventSource } from "eventsource";

const [url, hangUpAfter] = process.argv.slice(2);
let seen = 0;
let last = "";

function follow() {
  const source = new EventSource(url, {
    fetch: (input, init) =>
      fetch(input, {
        ...init,
        headers: { ...init.headers, ...(last && { "Last-Event-ID": last }) },
      }),
  });
  const show = (event) => {
    // What it had read before it was closed, it still tells.
    if (source.readyState === EventSource.CLOSED) return;
    last = event.lastEventId;
    console.log(last, event.type, event.data);
    seen += 1;
    if (["turn.completed", "turn.failed"].includes(event.type)) {
      source.close();
    } else if (seen === Number(hangUpAfter)) {
      source.close();
      follow();
    }
  };
  for (const name of process.env.EVENTS.split(",")) source.addEventListener(name, show);
}

follow();
