// What of Node is there: modules, timers, process, console, HTTP. It does nothing by itself: what it
// wants done it puts into a list of commands, and what happened comes by `event`, which the whole is a
// function of; called with "" it gives the commands. Python carries them out (engine.py, program.py).
(function (given) {
  "use strict";
  const commands = [];
  const say = (...command) => { commands.push(command); };
  const files = given.files;
  let nextId = 1;

  // ---- text and bytes ---------------------------------------------------------------------------

  const toUtf8 = (text) => unescape(encodeURIComponent(String(text).replace(
    /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")));
  const fromUtf8 = (binary) => {
    try { return decodeURIComponent(escape(binary)); } catch (_) { return binary; }
  };
  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const toBase64 = (binary) => {
    let made = "";
    for (let i = 0; i < binary.length; i += 3) {
      const [a, b, c] = [0, 1, 2].map((n) => binary.charCodeAt(i + n));
      made += ALPHABET[a >> 2] + ALPHABET[((a & 3) << 4) | (b >> 4)]
        + (i + 1 < binary.length ? ALPHABET[((b & 15) << 2) | (c >> 6)] : "=")
        + (i + 2 < binary.length ? ALPHABET[c & 63] : "=");
    }
    return made;
  };
  const fromBase64 = (text) => {
    let made = "", bits = 0, held = 0;
    for (const char of text.replace(/-/g, "+").replace(/_/g, "/")) {
      const value = ALPHABET.indexOf(char);
      if (value < 0) continue;
      held = (held << 6) | value;
      bits += 6;
      if (bits >= 8) { bits -= 8; made += String.fromCharCode((held >> bits) & 255); }
    }
    return made;
  };

  class Buffer extends Uint8Array {
    static from(value, encoding) {
      if (typeof value !== "string") return new Buffer(value);
      let binary;
      switch ((encoding || "utf8").toLowerCase()) {
        case "base64": case "base64url": binary = fromBase64(value); break;
        case "hex": binary = (value.match(/../g) || [])
          .map((two) => String.fromCharCode(parseInt(two, 16))).join(""); break;
        case "latin1": case "binary": case "ascii": binary = value; break;
        default: binary = toUtf8(value);
      }
      const made = new Buffer(binary.length);
      for (let i = 0; i < binary.length; i++) made[i] = binary.charCodeAt(i);
      return made;
    }
    static alloc(size, fill) { return new Buffer(size).fill(fill || 0); }
    static isBuffer(value) { return value instanceof Buffer; }
    static byteLength(value) { return typeof value === "string" ? toUtf8(value).length : value.length; }
    static concat(list) {
      const made = new Buffer(list.reduce((sum, one) => sum + one.length, 0));
      let at = 0;
      for (const one of list) { made.set(one, at); at += one.length; }
      return made;
    }
    toString(encoding) {
      let binary = "";
      for (let i = 0; i < this.length; i += 4096) {
        binary += String.fromCharCode.apply(null, this.subarray(i, i + 4096));
      }
      switch ((encoding || "utf8").toLowerCase()) {
        case "base64": return toBase64(binary);
        case "hex": return Array.from(this, (byte) => byte.toString(16).padStart(2, "0")).join("");
        case "latin1": case "binary": case "ascii": return binary;
        default: return fromUtf8(binary);
      }
    }
    toJSON() { return { type: "Buffer", data: Array.from(this) }; }
  }
  const binaryOf = (value, encoding) => {
    if (typeof value === "string") {
      return encoding === "latin1" || encoding === "binary" ? value : toUtf8(value);
    }
    if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
    throw new TypeError('The "chunk" argument must be of type string or an instance of Buffer');
  };

  // ---- printing ---------------------------------------------------------------------------------

  function inspect(value, depth = 0, seen = []) {
    switch (typeof value) {
      case "string": return depth ? `'${value}'` : value;
      case "function": return value.name ? `[Function: ${value.name}]` : "[Function (anonymous)]";
      case "bigint": return `${value}n`;
      case "object": break;
      default: return String(value);
    }
    if (value === null) return "null";
    if (value instanceof Error) return told(value);
    if (value instanceof Date) return value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (value instanceof Buffer) return `<Buffer ${value.toString("hex").replace(/..(?=.)/g, "$& ")}>`;
    if (seen.includes(value)) return "[Circular *1]";
    if (depth > 3) return Array.isArray(value) ? "[Array]" : "[Object]";
    const inside = [...seen, value];
    const show = (one) => inspect(one, depth + 1, inside);
    let parts, [open, close] = ["{", "}"];
    if (Array.isArray(value)) {
      [open, close] = ["[", "]"];
      parts = value.slice(0, 100).map(show);
      if (value.length > 100) parts.push(`... ${value.length - 100} more items`);
    } else if (value instanceof Map) {
      open = `Map(${value.size}) {`;
      parts = [...value].map(([key, one]) => `${show(key)} => ${show(one)}`);
    } else if (value instanceof Set) {
      open = `Set(${value.size}) {`;
      parts = [...value].map(show);
    } else {
      const name = value.constructor && value.constructor.name;
      if (name && name !== "Object") open = `${name} {`;
      parts = Object.keys(value).map((key) =>
        `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : `'${key}'`}: ${show(value[key])}`);
    }
    if (!parts.length) return open + close;
    const line = `${open} ${parts.join(", ")} ${close}`;
    return line.length <= 72 && !line.includes("\n")
      ? line : `${open}\n${parts.map((one) => "  ".repeat(depth + 1) + one).join(",\n")}\n`
        + "  ".repeat(depth) + close;
  }
  const told = (error) => {
    // Without the frames of this file, which are below the script's.
    const stack = String(error.stack || "").replace(/\n+$/, "").split("\n");
    const own = stack.findIndex((line) => / call \(native\)$| (timer|event|emit|watched) \(/.test(line));
    const shown = (own < 0 ? stack : stack.slice(0, own)).slice(0, 10).filter(Boolean);
    const text = String(error.message).replace(/^'([\w$]+)' is not defined$/, "$1 is not defined");
    return [`${error.name}: ${text}`, ...shown].join("\n");
  };
  function format(...args) {
    let made = "";
    if (typeof args[0] === "string" && args.length > 1) {
      made = args.shift().replace(/%[sdifjoOc%]/g, (mark) => {
        if (mark === "%%") return "%";
        if (!args.length) return mark;
        const value = args.shift();
        switch (mark) {
          case "%d": return String(Number(value));
          case "%i": return String(parseInt(value, 10));
          case "%f": return String(parseFloat(value));
          case "%j": return JSON.stringify(value);
          case "%c": return "";
          case "%s": return typeof value === "object" ? inspect(value, 1) : String(value);
          default: return inspect(value, 1);
        }
      });
      if (args.length) made += " ";
    }
    return made + args.map((one) => inspect(one)).join(" ");
  }
  const out = (...args) => say("out", format(...args) + "\n");
  const err = (...args) => say("err", format(...args) + "\n");
  const console = { log: out, info: out, debug: out, dir: out, error: err, warn: err, trace: err,
    assert(ok, ...args) { if (!ok) err("Assertion failed", ...args); },
    time() {}, timeEnd() {}, group: out, groupEnd() {}, table: out };

  const fault = (error) => {
    if (error instanceof Exit) return;
    // Where there was no room for an error the engine threw null, as a script may: engine.py knows.
    if (error === null) say("lost");
    else if (error instanceof InternalError && /^(out of memory|undefined)?$/.test(error.message)) {
      say("full");
    } else if (process.listenerCount("uncaughtException")) process.emit("uncaughtException", error);
    else say("uncaught", error instanceof Error ? told(error) : `Uncaught ${inspect(error, 1)}`);
  };
  // What an async handler throws ends the process, as any rejection that nobody handles.
  const watched = (value) => {
    if (value && typeof value.then === "function") value.then(undefined, fault);
  };

  // ---- events -----------------------------------------------------------------------------------

  class EventEmitter {
    on(name, listener) {
      const all = this._listeners || (this._listeners = {});
      (all[name] || (all[name] = [])).push(listener);
      if (this._heard) this._heard(name);
      return this;
    }
    addListener(name, listener) { return this.on(name, listener); }
    once(name, listener) {
      const only = (...args) => { this.off(name, only); listener.apply(this, args); };
      only.listener = listener;
      return this.on(name, only);
    }
    off(name, listener) {
      const all = (this._listeners || {})[name] || [];
      const at = all.findIndex((one) => one === listener || one.listener === listener);
      if (at >= 0) all.splice(at, 1);
      return this;
    }
    removeListener(name, listener) { return this.off(name, listener); }
    removeAllListeners(name) {
      if (this._listeners) { if (name) delete this._listeners[name]; else this._listeners = {}; }
      return this;
    }
    listenerCount(name) { return ((this._listeners || {})[name] || []).length; }
    emit(name, ...args) {
      const all = ((this._listeners || {})[name] || []).slice();
      if (!all.length && name === "error") throw args[0] || new Error("Unhandled error.");
      for (const one of all) watched(one.apply(this, args));
      return all.length > 0;
    }
    setMaxListeners() { return this; }
  }
  EventEmitter.EventEmitter = EventEmitter;

  // ---- timers -----------------------------------------------------------------------------------

  const timers = new Map();
  function timer(callback, ms, repeat, args) {
    const id = nextId++;
    timers.set(id, { callback, args, repeat });
    say("timer", id, Math.max(1, Number(ms) || 1), repeat);
    return { id, ref() { return this; }, unref() { say("unref", id); return this; },
      hasRef() { return true; }, [Symbol.toPrimitive]() { return id; } };
  }
  const clear = (one) => {
    const id = one && typeof one === "object" ? one.id : Number(one);
    if (timers.delete(id)) say("clear", id);
  };
  const setTimeout = (callback, ms, ...args) => timer(callback, ms, false, args);
  const setInterval = (callback, ms, ...args) => timer(callback, ms, true, args);
  const setImmediate = (callback, ...args) => timer(callback, 0, false, args);
  const queueMicrotask = (callback) => { Promise.resolve().then(callback); };

  // ---- process ----------------------------------------------------------------------------------

  class Exit {}
  let now = given.now;
  const stream = (name) => ({ isTTY: false, columns: 80,
    write(data, encoding, callback) {
      say(name, fromUtf8(binaryOf(data, encoding)));
      const after = typeof encoding === "function" ? encoding : callback;
      if (after) queueMicrotask(after);
      return true;
    } });
  const process = Object.assign(new EventEmitter(), {
    env: given.env, argv: given.argv, argv0: "node", execPath: "/usr/local/bin/node", execArgv: [],
    pid: given.pid, ppid: 0, platform: "linux", arch: "x64", title: "node", exitCode: undefined,
    version: given.version, versions: { node: given.version.slice(1) },
    release: { name: "node" }, stdout: stream("out"), stderr: stream("err"),
    cwd: () => given.cwd, uptime: () => now - given.now, umask: () => 0o22,
    exit(code) {
      process.exitCode = code === undefined ? process.exitCode : code;
      // Said here, for nobody hears of what is thrown in a promise.
      say("exit", Number(process.exitCode) || 0);
      throw new Exit();
    },
    kill(pid, signal) { say("kill", pid, String(signal || "SIGTERM")); },
    nextTick: (callback, ...args) => queueMicrotask(() => callback(...args)),
    memoryUsage: () => ({ rss: 40e6, heapTotal: 8e6, heapUsed: 5e6, external: 1e6 }),
    cpuUsage: () => ({ user: 50000, system: 10000 }), emitWarning: (text) => err(String(text)),
    getuid: () => given.uid, getgid: () => given.uid,
    hrtime: Object.assign(() => [Math.floor(now), Math.round((now % 1) * 1e9)],
      { bigint: () => BigInt(Math.round(now * 1e9)) }),
    _heard(name) { if (/^SIG[A-Z0-9]+$/.test(name)) say("heed", name); },
  });
  class Clock extends Date {
    constructor(...args) { if (args.length) super(...args); else super(Clock.now()); }
    static now() { return Math.floor(now * 1000); }
  }

  // ---- paths, URLs, queries ---------------------------------------------------------------------

  const path = {
    sep: "/", delimiter: ":",
    normalize(text) {
      const parts = [];
      for (const part of text.split("/")) {
        if (part === "..") { if (parts.length && parts[parts.length - 1] !== "..") parts.pop();
          else if (!text.startsWith("/")) parts.push(".."); }
        else if (part && part !== ".") parts.push(part);
      }
      const made = parts.join("/") + (text.endsWith("/") && parts.length ? "/" : "");
      return text.startsWith("/") ? "/" + made : made || ".";
    },
    join: (...parts) => path.normalize(parts.filter(Boolean).join("/") || "."),
    resolve(...parts) {
      let made = "";
      for (const part of parts.reverse().concat(given.cwd)) {
        made = made ? `${part}/${made}` : part;
        if (part.startsWith("/")) break;
      }
      return path.normalize(made).replace(/(.)\/$/, "$1");
    },
    dirname: (text) => text.replace(/\/+[^/]*\/*$/, "") || (text.startsWith("/") ? "/" : "."),
    basename(text, end) {
      const name = text.replace(/\/+$/, "").split("/").pop();
      return end && name.endsWith(end) && name !== end ? name.slice(0, -end.length) : name;
    },
    extname: (text) => (/[^/](\.[^./]*)$/.exec(text) || ["", ""])[1],
    isAbsolute: (text) => text.startsWith("/"),
  };
  path.posix = path;

  const decode = (text) => {
    try { return decodeURIComponent(text.replace(/\+/g, " ")); } catch (_) { return text; }
  };
  class URLSearchParams {
    constructor(from = "") {
      this._pairs = [];
      if (typeof from === "string") {
        for (const pair of from.replace(/^\?/, "").split("&").filter(Boolean)) {
          const [key, ...value] = pair.split("=");
          this._pairs.push([decode(key), decode(value.join("="))]);
        }
      } else {
        const pairs = from[Symbol.iterator] ? [...from] : Object.entries(from);
        this._pairs = pairs.map(([key, value]) => [String(key), String(value)]);
      }
    }
    get(name) { const found = this._pairs.find(([key]) => key === name); return found ? found[1] : null; }
    getAll(name) { return this._pairs.filter(([key]) => key === name).map(([, value]) => value); }
    has(name) { return this._pairs.some(([key]) => key === name); }
    append(name, value) { this._pairs.push([String(name), String(value)]); }
    set(name, value) { this.delete(name); this.append(name, value); }
    delete(name) { this._pairs = this._pairs.filter(([key]) => key !== name); }
    forEach(callback) { for (const [key, value] of this._pairs) callback(value, key, this); }
    keys() { return this._pairs.map(([key]) => key)[Symbol.iterator](); }
    entries() { return this._pairs[Symbol.iterator](); }
    [Symbol.iterator]() { return this.entries(); }
    toString() {
      return this._pairs.map((pair) => pair.map(encodeURIComponent).join("=")).join("&")
        .replace(/%20/g, "+");
    }
  }
  const parts = (text) => /^(?:([a-zA-Z][\w+.-]*:)\/\/(?:([^@/]*)@)?([^/?#:]*)(?::(\d+))?)?([^?#]*)(\?[^#]*)?(#.*)?$/
    .exec(text) || [];
  class URL {
    constructor(text, base) {
      let found = parts(String(text));
      if (!found[1] && base !== undefined) {
        const under = new URL(base);
        found = parts(under.origin + (String(text).startsWith("/")
          ? text : path.join(path.dirname(under.pathname), String(text))));
      }
      if (!found[1]) {
        throw Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input: text });
      }
      this.protocol = found[1].toLowerCase();
      [this.username, this.password] = ((found[2] || "") + ":").split(":");
      this.hostname = found[3].toLowerCase();
      this.port = found[4] || "";
      this.pathname = found[5] || "/";
      this.searchParams = new URLSearchParams(found[6] || "");
      this.search = found[6] || "";
      this.hash = found[7] || "";
    }
    get host() { return this.hostname + (this.port ? ":" + this.port : ""); }
    get origin() { return `${this.protocol}//${this.host}`; }
    get href() { return this.origin + this.pathname + this.search + this.hash; }
    toString() { return this.href; }
    toJSON() { return this.href; }
  }
  const querystring = {
    parse(text) {
      const made = {};
      for (const [key, value] of new URLSearchParams(text || "")) {
        made[key] = key in made ? [].concat(made[key], value) : value;
      }
      return made;
    },
    stringify: (value) => new URLSearchParams(value).toString(),
    escape: encodeURIComponent, unescape: decode,
  };
  const url = { URL, URLSearchParams, parse(text, query) {
    const found = parts(text), search = found[6] || null, host = found[3] || null;
    return { protocol: found[1] || null, hostname: host, port: found[4] || null,
      host: host && host + (found[4] ? ":" + found[4] : ""), pathname: found[5] || null, search,
      query: query ? querystring.parse((search || "").slice(1)) : search && search.slice(1),
      hash: found[7] || null, path: (found[5] || "") + (search || "") || null, href: text };
  } };

  // ---- HTTP -------------------------------------------------------------------------------------

  const servers = new Map(), requests = new Map(), answers = new Map(), asked = new Map();
  const STATUS_CODES = given.statuses;

  class IncomingMessage extends EventEmitter {
    constructor(about, body) {
      super();
      Object.assign(this, about, { httpVersion: "1." + about.minor, complete: false, readable: true });
      this.headers = {};
      this.rawHeaders = about.pairs.flat();
      for (const [name, value] of about.pairs) {
        const key = name.toLowerCase();
        this.headers[key] = key in this.headers ? `${this.headers[key]}, ${value}` : value;
      }
      this._body = body;
      this._encoding = null;
    }
    _heard(name) {
      if ((name === "data" || name === "end" || name === "readable") && this._body !== null) {
        const body = this._body;
        this._body = null;
        queueMicrotask(() => {
          const data = Buffer.from(body, "latin1");
          if (body) this.emit("data", this._encoding ? data.toString(this._encoding) : data);
          this.complete = true;
          this.emit("end");
          this.emit("close");
        });
      }
    }
    setEncoding(encoding) { this._encoding = encoding || "utf8"; return this; }
    resume() { this._heard("data"); return this; }
    pause() { return this; }
    pipe(target) {
      this.on("data", (data) => target.write(data));
      this.on("end", () => target.end());
      return target;
    }
    destroy() { return this; }
    async *[Symbol.asyncIterator]() {
      const body = this._body;
      this._body = null;
      if (body) yield Buffer.from(body, "latin1");
    }
  }

  class Outgoing extends EventEmitter {
    constructor() { super(); this._headers = new Map(); this.headersSent = false; this.finished = false; }
    setHeader(name, value) {
      if (this.headersSent) {
        throw Object.assign(new Error("Cannot set headers after they are sent to the client"),
          { code: "ERR_HTTP_HEADERS_SENT" });
      }
      this._headers.set(String(name).toLowerCase(), [String(name), value]);
      return this;
    }
    getHeader(name) { return (this._headers.get(name.toLowerCase()) || [])[1]; }
    getHeaders() {
      return Object.fromEntries([...this._headers].map(([key, [, value]]) => [key, value]));
    }
    hasHeader(name) { return this._headers.has(name.toLowerCase()); }
    removeHeader(name) { this._headers.delete(name.toLowerCase()); }
    _pairs() {
      return [...this._headers.values()].flatMap(([name, value]) =>
        [].concat(value).map((one) => [name, String(one)]));
    }
    get writableEnded() { return this.finished; }
    get writableFinished() { return this.finished; }
  }

  class ServerResponse extends Outgoing {
    constructor(id, req) {
      super();
      this._id = id;
      this.req = req;
      this.statusCode = 200;
      this.statusMessage = "";
      this.socket = this.connection = req.socket;
    }
    writeHead(status, reason, headers) {
      if (typeof reason !== "string") { headers = reason; reason = ""; }
      const list = Array.isArray(headers) ? headers : Object.entries(headers || {});
      for (const [name, value] of list) this.setHeader(name, value);
      this.statusCode = status;
      this.statusMessage = reason || this.statusMessage;
      this._begin();
      return this;
    }
    flushHeaders() { this._begin(); }
    writeContinue() {}
    _begin(size) {
      if (this.headersSent) return;
      const status = Number(this.statusCode);
      if (!Number.isInteger(status) || status < 200 || status > 999) {
        throw new RangeError(`Invalid status code: ${this.statusCode}`);
      }
      if (size !== undefined && !this.hasHeader("content-length")) {
        this.setHeader("Content-Length", size);
      }
      this.headersSent = true;
      say("respond", this._id, status, this.statusMessage || STATUS_CODES[status] || "unknown",
        this._pairs());
    }
    write(data, encoding, callback) {
      if (this.finished) {
        throw Object.assign(new Error("write after end"), { code: "ERR_STREAM_WRITE_AFTER_END" });
      }
      this._begin();
      say("piece", this._id, binaryOf(data, encoding));
      const after = typeof encoding === "function" ? encoding : callback;
      if (after) queueMicrotask(after);
      return true;
    }
    end(data, encoding, callback) {
      if (this.finished) return this;
      if (typeof data === "function") { callback = data; data = undefined; }
      const binary = data === undefined || data === null ? "" : binaryOf(data, encoding);
      this._begin(binary.length);
      if (binary) say("piece", this._id, binary);
      this.finished = true;
      say("finish", this._id);
      answers.delete(this._id);
      const after = typeof encoding === "function" ? encoding : callback;
      queueMicrotask(() => {
        if (after) after();
        this.emit("finish");
        this.emit("close");
      });
      return this;
    }
    destroy() { return this.end(); }
  }

  class Server extends EventEmitter {
    constructor(handler) { super(); if (handler) this.on("request", handler); this.listening = false; }
    listen(port, ...rest) {
      let host = typeof rest[0] === "string" ? rest[0] : "";
      if (port && typeof port === "object") { host = port.host || ""; port = port.port; }
      if (typeof port === "function") { rest = [port]; port = 0; }
      const callback = rest.find((one) => typeof one === "function");
      if (callback) this.once("listening", callback);
      port = Number(port);
      if (!Number.isInteger(port) || port < 0 || port > 65535) {
        throw Object.assign(new RangeError(`options.port should be >= 0 and < 65536. Received ${port}.`),
          { code: "ERR_SOCKET_BAD_PORT" });
      }
      this._id = nextId++;
      servers.set(this._id, this);
      say("listen", this._id, port, host);
      return this;
    }
    address() { return this._address || null; }
    close(callback) {
      if (callback) this.once("close", callback);
      if (this._id) { say("unlisten", this._id); servers.delete(this._id); this._id = 0; }
      this.listening = false;
      queueMicrotask(() => this.emit("close"));
      return this;
    }
    setTimeout() { return this; }
    closeAllConnections() {}
    ref() { return this; }
    unref() { return this; }
  }

  class ClientRequest extends Outgoing {
    constructor(options, callback) {
      super();
      this._options = options;
      this._body = "";
      if (callback) this.once("response", callback);
      for (const [name, value] of Object.entries(options.headers || {})) this.setHeader(name, value);
    }
    write(data, encoding) { this._body += binaryOf(data, encoding); return true; }
    end(data, encoding) {
      if (this.finished) return this;
      if (data !== undefined && typeof data !== "function") this.write(data, encoding);
      this.finished = true;
      const one = this._options, id = nextId++;
      asked.set(id, this);
      say("ask", id, one.hostname || (one.host || "localhost").split(":")[0], Number(one.port) || 80,
        (one.method || "GET").toUpperCase(), one.path || "/", this._pairs(), this._body);
      return this;
    }
    setTimeout(ms, callback) { if (callback) this.once("timeout", callback); return this; }
    abort() {}
    destroy() { return this; }
  }
  const optionsOf = (first, second) => {
    if (typeof first === "string") first = new URL(first);
    const rest = typeof second === "object" ? second : {};
    if (!(first instanceof URL)) return Object.assign({}, first, rest);
    if (first.protocol !== "http:") {
      throw Object.assign(new TypeError(`Protocol "${first.protocol}" not supported. Expected "http:"`),
        { code: "ERR_INVALID_PROTOCOL" });
    }
    return Object.assign({ hostname: first.hostname, port: first.port,
      path: first.pathname + first.search }, rest);
  };
  const http = {
    STATUS_CODES, METHODS: ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
    Server, ServerResponse, IncomingMessage, ClientRequest, Agent: class Agent {}, globalAgent: {},
    createServer: (first, second) => new Server(typeof first === "function" ? first : second),
    request: (first, second, third) =>
      new ClientRequest(optionsOf(first, second), [second, third].find((one) => typeof one === "function")),
    get: (first, second, third) => http.request(first, second, third).end(),
  };
  const fetch = (target, options = {}) => new Promise((resolve, reject) => {
    const req = http.request(String(target), { method: options.method, headers: options.headers }, (res) => {
      const body = res._body;
      res._body = null;
      const data = Buffer.from(body, "latin1");
      resolve({ status: res.statusCode, ok: res.statusCode >= 200 && res.statusCode < 300,
        statusText: res.statusMessage, url: String(target),
        headers: { get: (name) => res.headers[name.toLowerCase()] || null },
        text: async () => data.toString(), json: async () => JSON.parse(data.toString()),
        arrayBuffer: async () => data.buffer });
    });
    req.once("error", (cause) => reject(Object.assign(new TypeError("fetch failed"), { cause })));
    req.end(options.body);
  });

  // ---- modules ----------------------------------------------------------------------------------

  const missing = (name, number, code, call) => Object.assign(
    new Error(`${code}: ${name[1]}, ${call} '${name[0]}'`),
    { errno: number, code, syscall: call, path: name[0] });
  const absent = (file, call) => missing([file, "no such file or directory"], -2, "ENOENT", call);
  const encodingOf = (options) => typeof options === "string" ? options : options && options.encoding;
  const shaped = (binary, options) => {
    const data = Buffer.from(binary, "latin1");
    return encodingOf(options) ? data.toString(encodingOf(options)) : data;
  };
  const last = (args) => args[args.length - 1];
  const fs = {
    existsSync: (file) => { const at = path.resolve(file); return at in files
      || Object.keys(files).some((one) => one.startsWith(at.replace(/\/?$/, "/"))); },
    readFileSync(file, options) {
      const at = path.resolve(String(file));
      if (!(at in files)) throw absent(String(file), "open");
      return shaped(files[at], options);
    },
    writeFileSync(file, data) {
      const at = path.resolve(String(file));
      files[at] = binaryOf(data);
      say("write", at, files[at], false);
    },
    appendFileSync(file, data) {
      const at = path.resolve(String(file)), binary = binaryOf(data);
      files[at] = (files[at] || "") + binary;
      say("write", at, binary, true);
    },
    readdirSync(folder) {
      const at = path.resolve(folder).replace(/\/?$/, "/");
      const found = new Set(Object.keys(files).filter((one) => one.startsWith(at))
        .map((one) => one.slice(at.length).split("/")[0]));
      if (!found.size) throw absent(folder, "scandir");
      return [...found].sort();
    },
    statSync(file) {
      const at = path.resolve(String(file));
      if (!fs.existsSync(at)) throw absent(String(file), "stat");
      const inside = at in files;
      return { isFile: () => inside, isDirectory: () => !inside, size: inside ? files[at].length : 0 };
    },
    mkdirSync() {},
  };
  fs.promises = {};
  for (const name of ["readFile", "writeFile", "appendFile", "readdir", "stat", "mkdir"]) {
    fs.promises[name] = async (...args) => fs[name + "Sync"](...args);
    fs[name] = (...args) => {
      const callback = args.pop();
      fs.promises[name](...args).then((found) => callback(null, found), (error) => callback(error));
    };
  }
  const host = given.hostname;
  const os = {
    EOL: "\n", hostname: () => host, platform: () => "linux", type: () => "Linux", arch: () => "x64",
    release: () => "6.1.0-kubemu", uptime: () => now, tmpdir: () => "/tmp", homedir: () => "/root",
    totalmem: () => 1 << 30, freemem: () => 1 << 29, loadavg: () => [0, 0, 0],
    cpus: () => [{ model: "virtual", speed: 1000, times: {} }], endianness: () => "LE",
    userInfo: () => ({ username: "root", uid: given.uid, gid: given.uid, homedir: "/root" }),
    networkInterfaces: () => ({
      lo: [{ address: "127.0.0.1", family: "IPv4", internal: true }],
      eth0: given.addresses.map((address) => ({ address, internal: false,
        family: address.includes(":") ? "IPv6" : "IPv4" })),
    }),
  };
  const assert = Object.assign((ok, text) => {
    if (!ok) throw Object.assign(new Error(text || "Assertion failed"), { name: "AssertionError" });
  }, {});
  assert.ok = assert;
  assert.equal = assert.strictEqual = (a, b, text) => assert(a === b, text || `${inspect(a, 1)} !== ${inspect(b, 1)}`);
  const util = { format, inspect: (value) => inspect(value, 1), types: {},
    inherits(child, parent) { Object.setPrototypeOf(child.prototype, parent.prototype); },
    promisify: (call) => (...args) => new Promise((resolve, reject) => {
      call(...args, (error, value) => error ? reject(error) : resolve(value));
    }), isDeep: undefined };
  const core = { http, os, fs, path, url, util, querystring, process, assert, console,
    events: EventEmitter, buffer: { Buffer }, "fs/promises": fs.promises,
    timers: { setTimeout, setInterval, setImmediate, clearTimeout: clear, clearInterval: clear },
    "timers/promises": { setTimeout: (ms, value) => new Promise((done) => setTimeout(done, ms, value)) } };

  const loaded = Object.create(null);
  const candidates = (at) => [at, at + ".js", at + ".json", at + ".cjs", at + "/index.js", at + "/index.json"];
  function packaged(at) {
    const about = files[at + "/package.json"];
    if (about === undefined) return [];
    try { return candidates(path.join(at, JSON.parse(fromUtf8(about)).main || "index.js")); }
    catch (_) { return []; }
  }
  function found(name, from) {
    const places = [];
    if (/^(\.{1,2}(\/|$)|\/)/.test(name)) places.push(path.resolve(from, name));
    else for (let at = path.resolve(from); ; at = path.dirname(at)) {
      places.push(path.join(at, "node_modules", name));
      if (at === "/") break;
    }
    for (const at of places) {
      for (const one of [...candidates(at), ...packaged(at)]) if (one in files) return one;
    }
    return null;
  }
  function requireFrom(from, parent) {
    const require = (name) => {
      const plain = String(name).replace(/^node:/, "");
      if (plain in core) return core[plain];
      const at = given.unbuilt.includes(plain) ? null : found(plain, from);
      if (at === null) {
        const why = given.unbuilt.includes(plain) ? " (not built in the emulated node)" : "";
        throw Object.assign(new Error(`Cannot find module '${name}'${why}\nRequire stack:\n- ${parent}`),
          { code: "MODULE_NOT_FOUND", requireStack: [parent] });
      }
      return load(at).exports;
    };
    require.resolve = (name) => found(name, from);
    require.cache = loaded;
    return require;
  }
  function load(at) {
    if (loaded[at]) return loaded[at];
    const module = loaded[at] = { id: at, filename: at, exports: {}, loaded: false, children: [] };
    const source = fromUtf8(files[at]).replace(/^\ufeff/, "").replace(/^#!.*/, "");
    if (at.endsWith(".json")) module.exports = JSON.parse(source);
    else run(module, source, at);
    module.loaded = true;
    return module;
  }
  function run(module, source, at) {
    const require = requireFrom(path.dirname(at), at);
    require.main = loaded[given.main] || module;
    // On one line, so that errors tell the lines of the file.
    const made = (0, eval)("(function (exports, require, module, __filename, __dirname) {" + source + "\n})");
    made.call(module.exports, module.exports, require, module, at, path.dirname(at));
  }

  Object.assign(globalThis, { console, process, Buffer, setTimeout, setInterval, setImmediate,
    queueMicrotask, clearTimeout: clear, clearInterval: clear, clearImmediate: clear, URL,
    URLSearchParams, fetch, global: globalThis, Date: Clock,
    performance: { now: () => (now - given.now) * 1000 } });

  // ---- what happens -----------------------------------------------------------------------------

  const happenings = {
    main() {
      if (given.code !== null) run({ exports: {} }, given.code, "[eval]");
      else load(given.main);
    },
    timer(id) {
      const one = timers.get(id);
      if (!one) return;
      if (!one.repeat) timers.delete(id);
      watched(one.callback(...one.args));
    },
    listening(id, address, port) {
      const server = servers.get(id);
      if (!server) return;
      server.listening = true;
      server._address = { address: address || "::", family: "IPv6", port };
      server.emit("listening");
    },
    refused(id, port, code, number) {
      const server = servers.get(id);
      servers.delete(id);
      const text = code === "EADDRINUSE" ? "address already in use" : code;
      server.emit("error", Object.assign(new Error(`listen ${code}: ${text} :::${port}`),
        { code, errno: -number, syscall: "listen", address: "::", port }));
    },
    request(server, id, about, body) {
      const socket = Object.assign(new EventEmitter(), {
        remoteAddress: about.peer[0], remotePort: about.peer[1], remoteFamily: "IPv6",
        localAddress: about.local[0], localPort: about.local[1], encrypted: false,
        setTimeout() {}, destroy() {} });
      const req = new IncomingMessage(about, body);
      req.socket = req.connection = socket;
      const res = new ServerResponse(id, req);
      answers.set(id, res);
      const made = servers.get(server);
      if (!made || !made.emit("request", req, res)) res.writeHead(503).end();
    },
    closed(id) {
      const res = answers.get(id);
      answers.delete(id);
      if (res) { res.finished = true; res.emit("close"); res.req.emit("close"); }
    },
    answered(id, status, reason, pairs, body) {
      const req = asked.get(id);
      asked.delete(id);
      const res = new IncomingMessage({ pairs, minor: 1, statusCode: status, statusMessage: reason }, body);
      if (!req.emit("response", res)) res.resume();
    },
    failed(id, code, text, number) {
      const req = asked.get(id);
      asked.delete(id);
      req.emit("error", Object.assign(new Error(text), { code, errno: -number }));
    },
    signal(name, number) { process.emit(name, name, number); },
    exit(code) { process.emit("exit", code); },
  };
  return function event(text) {
    if (text === "") return JSON.stringify(commands.splice(0));
    const [at, name, ...args] = JSON.parse(text);
    now = at;
    try { happenings[name](...args); } catch (error) { fault(error); }
    return "";
  };
})
