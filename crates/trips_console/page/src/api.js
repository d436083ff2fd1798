// Questions to the console. All addresses are relative: the page also works below a path of a proxy.

/** An error of the console or of PostgreSQL: message, detail, hint, sqlstate, status. */
export class Fault extends Error {
  constructor(status, error) {
    super(error.message);
    Object.assign(this, { status, sqlstate: error.sqlstate, detail: error.detail, hint: error.hint });
  }
}

const AWAY = {
  message: "the console does not answer",
  hint: "Start it again: the page reconnects by itself.",
};
const NOT_IN = {
  message: "the console asks for its link",
  hint: "Open the address with the token that trips_console printed when it started.",
};

// A laptop that changes its network breaks what is under way, also on loopback: one more attempt, but never of a change.
async function ask(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError" || options.method === "POST") throw error;
    await new Promise((done) => setTimeout(done, 300));
    options.signal?.throwIfAborted();
    return fetch(path, options);
  }
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault(0, AWAY);
  }
  if (response.status === 401) throw new Fault(401, NOT_IN);
  const text = await response.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Fault(response.status, { message: `the console answers with status ${response.status}`, detail: text.slice(0, 300) });
  }
  if (!response.ok || body?.error?.message) throw new Fault(response.status, body.error ?? { message: text.slice(0, 300) });
  return body;
}

/** `a=1&b=2`, without what is empty. */
export function search(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return new URLSearchParams(given).toString();
}

export function get(path, values = {}, signal = undefined) {
  const question = search(values);
  return answer(ask(`api/${path}${question ? `?${question}` : ""}`, { signal, headers: { Accept: "application/json" } }));
}

export function post(path, body = {}, signal = undefined) {
  const headers = { "Content-Type": "application/json", "X-Trips-Console": "1" };
  return answer(ask(`api/${path}`, { method: "POST", signal, headers, body: JSON.stringify(body) }));
}

/** Makes a function of which only the last call counts: it ends the one before. */
export function latest(work) {
  let running;
  return async (...values) => {
    running?.abort();
    const own = new AbortController();
    running = own;
    try {
      await work(own.signal, ...values);
    } catch (error) {
      if (error.name !== "AbortError" && !own.signal.aborted) throw error;
    }
  };
}
