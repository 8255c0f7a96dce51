// test/webview/view-page.ts
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

// scripts/webview-bundle.mjs
var focusVisibleIsKnown = {
  name: "focus-visible is known",
  /** @param {import('esbuild').PluginBuild} build */
  setup(build2) {
    build2.onLoad({ filter: /fast-foundation[\\/].*[\\/]utilities[\\/]style[\\/]focus\.js$/ }, () => ({
      contents: "export const focusVisible = 'focus-visible';"
    }));
  }
};
var webviewBundle = {
  platform: "browser",
  target: "chrome128",
  format: "iife",
  minify: true,
  plugins: [focusVisibleIsKnown]
};

// test/e2e/setup/places.mjs
import { homedir } from "node:os";
import { join } from "node:path";
var workbenchHome = process.env.LIFT_E2E_HOME ?? join(homedir(), ".cache", "lift-vscode-e2e");
var nodeFolder = join(workbenchHome, "node", "node_modules", `node-linux-${process.arch}`);
var nodeBinary = join(nodeFolder, "bin", "node");
var codeServerFolder = join(workbenchHome, "code-server");
var codeServerEntry = join(codeServerFolder, "node_modules", "code-server", "out", "node", "entry.js");
var chromiumBinary = process.env.LIFT_E2E_CHROMIUM ?? "/usr/bin/chromium";

// test/webview/view-page.ts
async function startViewPages() {
  if (!existsSync(chromiumBinary)) {
    throw new Error(`No browser at ${chromiumBinary}. Install it with: node scripts/install-test-tools.mjs`);
  }
  const bundle = await bundleView();
  const server = await serve(bundle);
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({
    executablePath: chromiumBinary,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
      ...["--disable-component-update", "--disable-sync"]
    ]
  });
  const contexts = [];
  return {
    sizes: { script: Buffer.byteLength(bundle.script), styles: Buffer.byteLength(bundle.styles) },
    async open({ theme = "dark", width = 380, height = 720, state, reducedMotion = false } = {}) {
      const context = await newContext(browser, width, height, reducedMotion);
      contexts.push(context);
      const view = await openPage(context, origin, theme);
      if (state) await view.push({ type: "state", state });
      return view;
    },
    async close() {
      for (const context of contexts) await context.close();
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
    }
  };
}
async function newContext(browser, width, height, reducedMotion) {
  const context = await browser.newContext({
    viewport: { width, height },
    reducedMotion: reducedMotion ? "reduce" : "no-preference"
  });
  context.setDefaultTimeout(2e4);
  return context;
}
async function openPage(context, origin, theme) {
  const page = await context.newPage();
  const troubles = [];
  page.on("dialog", (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    if (!ownRequests.has(new URL(request.url()).pathname) || !request.url().startsWith(origin)) {
      troubles.push(`request: ${request.url().slice(0, 200)}`);
    }
  });
  context.on("page", (other) => troubles.push(`window: ${other.url()}`));
  page.on("framenavigated", (frame) => {
    if (!frame.url().startsWith(`${origin}/?`)) troubles.push(`navigation: ${frame.url().slice(0, 200)}`);
  });
  await page.goto(`${origin}/?theme=${theme}`);
  let taken = 0;
  const posts = () => page.evaluate(() => window.posted);
  return {
    page,
    troubles,
    posts,
    async push(...messages) {
      await page.evaluate((all) => {
        for (const message of all) window.postMessage(message, "*");
      }, messages);
      await page.evaluate(() => new Promise((resolve) => {
        window.addEventListener("message", ({ data }) => data === "delivered" && resolve(null));
        window.postMessage("delivered", "*");
      }));
    },
    async nextPost(type) {
      for (; ; ) {
        const all = await posts();
        const at = all.findIndex((post, index) => index >= taken && post.type === type);
        if (at >= 0) {
          taken = at + 1;
          return all[at];
        }
        await page.waitForFunction(
          (count) => window.posted.length > count,
          all.length
        );
      }
    }
  };
}
var ownRequests = /* @__PURE__ */ new Set(["/", "/view.js", "/view.css", "/theme.css", "/vscode-api.js", "/favicon.ico"]);
async function bundleView() {
  const { outputFiles } = await build({
    entryPoints: { view: fileURLToPath(new URL("../../webview/main.ts", import.meta.url)) },
    outdir: "nowhere",
    write: false,
    bundle: true,
    ...webviewBundle
  });
  const text = (extension) => outputFiles.find(({ path }) => path.endsWith(extension)).text;
  return { script: text(".js"), styles: text(".css") };
}
async function serve({ script, styles }) {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const theme = url.searchParams.get("theme") ?? "dark";
    const answers = {
      "/": ["text/html", html(theme, `http://${request.headers.host}`)],
      "/view.js": ["text/javascript", script],
      "/view.css": ["text/css", styles],
      "/theme.css": ["text/css", themeStyles(theme)],
      "/favicon.ico": ["image/x-icon", ""],
      "/vscode-api.js": ["text/javascript", vscodeApi]
    };
    const [type, body] = answers[url.pathname] ?? ["text/plain", "nothing here"];
    response.writeHead(url.pathname in answers ? 200 : 404, { "content-type": `${type}; charset=utf-8` }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
function html(theme, cspSource) {
  const nonce = "cmFuZG9tIGluIHRoZSBleHRlbnNpb24";
  const policy = `default-src 'none'; style-src ${cspSource}; script-src 'nonce-${nonce}'; font-src ${cspSource}; base-uri 'none'; form-action 'none'`;
  const bodyClass = theme === "high-contrast-light" ? "vscode-high-contrast-light vscode-high-contrast" : `vscode-${theme}`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/theme.css?theme=${theme}">
<link rel="stylesheet" href="/view.css">
<title>LIFT</title>
</head>
<body class="${bodyClass}">
<div id="root"></div>
<script nonce="${nonce}" src="/vscode-api.js"></script>
<script nonce="${nonce}" src="/view.js"></script>
</body>
</html>`;
}
var themes = JSON.parse(
  readFileSync(new URL("../fixtures/webview/themes.json", import.meta.url), "utf8")
);
function themeStyles(theme) {
  const variables = Object.entries(themes[theme]).map(([name, value]) => `${name}: ${value};`);
  return `:root { ${variables.join(" ")} background: var(--vscode-sideBar-background); }
body { background: transparent; color: var(--vscode-editor-foreground); font-family: var(--vscode-font-family);
  font-weight: var(--vscode-font-weight); font-size: var(--vscode-font-size); margin: 0; padding: 0 20px; }
img, video { max-width: 100%; max-height: 100%; }
a, a code { color: var(--vscode-textLink-foreground); }
code { font-family: var(--vscode-editor-font-family); color: var(--vscode-textPreformat-foreground);
  background-color: var(--vscode-textPreformat-background); padding: 1px 3px; border-radius: 4px; }
pre code { padding: 0; }
::-webkit-scrollbar { width: 10px; height: 10px; }
::-webkit-scrollbar-thumb { background-color: var(--vscode-scrollbarSlider-background); }`;
}
var vscodeApi = `
window.posted = [];
window.acquireVsCodeApi = () => ({
  postMessage: (message) => window.posted.push(structuredClone(message)),
  getState: () => JSON.parse(sessionStorage.getItem('kept') ?? 'null') ?? undefined,
  setState: (state) => sessionStorage.setItem('kept', JSON.stringify(state)),
});
window.addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));
`;

// test/webview/view-states.ts
var host = {
  phase: "ready",
  message: null,
  model: "lift-nano",
  device: "cpu",
  memoryBytes: 412e6
};
var absorbedFolder = {
  folder: "/projects/semver",
  name: "semver",
  phase: "idle",
  message: null,
  documents: 64,
  tokens: 88214,
  absorbed: 0.964,
  dirty: 3,
  version: 7,
  absorbedAt: new Date(Date.now() - 12 * 6e4).toISOString(),
  adapterBytes: 156e5,
  skipped: [
    { path: ".env", reason: "secret: named like a file of secrets" },
    { path: "test/fixtures/key.pem", reason: "secret: named like a private key" },
    ...Array.from({ length: 230 }, (_, index) => ({ path: `assets/icons/icon-${index}.png`, reason: "binary" })),
    { path: "dist/bundle.min.js", reason: "generated" }
  ],
  byFolder: [
    { path: "functions", tokens: 30100, absorbed: 0.991, dirty: 0 },
    { path: "classes", tokens: 24e3, absorbed: 0.98, dirty: 2 },
    { path: "test", tokens: 20500, absorbed: 0.93, dirty: 1 },
    { path: "internal", tokens: 8e3, absorbed: 0.95, dirty: 0 },
    { path: "", tokens: 5614, absorbed: 0.88, dirty: 0 }
  ],
  progress: null,
  losses: Array.from({ length: 60 }, (_, index) => ({
    step: 1 + index * 15,
    loss: 0.12 + 4.4 * Math.exp(-index / 11) + 0.12 * Math.abs(Math.sin(index * 1.7))
  }))
};
var newFolder = {
  ...absorbedFolder,
  phase: "empty",
  absorbed: 0,
  dirty: 0,
  version: null,
  absorbedAt: null,
  adapterBytes: 0,
  byFolder: [],
  losses: []
};
var absorbingFolder = {
  ...absorbedFolder,
  phase: "busy",
  dirty: 12,
  progress: {
    phase: "train",
    step: 412,
    documentsSeen: 41,
    loss: 0.62,
    tokensPerSecond: 2310,
    secondsLeft: 190,
    done: 0.42
  },
  losses: absorbedFolder.losses.slice(0, 28)
};
function turn(change = {}) {
  return {
    id: "turn-1",
    folder: "/projects/semver",
    question: "How is a version string parsed?",
    mentions: [],
    answer: "",
    phase: "done",
    message: null,
    citations: [],
    unknownPaths: [],
    unknownSymbols: [],
    shown: [],
    version: 7,
    firstTokenMs: 312,
    tokensPerSecond: 48.3,
    ...change
  };
}
function viewState(change = {}, turns = []) {
  return {
    host,
    folders: [absorbedFolder],
    conversation: { id: "conversation-1", title: turns[0]?.question ?? "", turns },
    history: [],
    context: [],
    switches: { adapter: true, evidence: false, openFiles: true },
    words: {},
    ...change
  };
}
var finishedTurn = turn({
  mentions: [{ folder: "/projects/semver", path: "functions/parse.js" }],
  answer: `\`parse\` in functions/parse.js:4 turns a string into a **SemVer** object; it gives \`null\` where the string is no version.

1. A \`SemVer\` is returned as it is.
2. Otherwise the constructor in \`classes/semver.js\` matches the text against \`re[t.FULL]\`.
3. What it throws is caught, unless \`throwErrors\` is set.

\`\`\`js
const parse = (version, options, throwErrors = false) => {
  if (version instanceof SemVer) return version;
  try {
    return new SemVer(version, options);
  } catch (er) {
    if (!throwErrors) return null;
    throw er;
  }
};
\`\`\`

Ranges go through \`lib/range-parser.js\` and \`parseRangeStrict()\` first, see [the manual](https://semver.org).

| input | result |
|---|---|
| \`1.2.3\` | a SemVer |
| \`1.2\` | \`null\` |
`,
  citations: [
    { path: "functions/parse.js", startLine: 4, endLine: 16 },
    { path: "classes/semver.js", startLine: 9, endLine: 71 }
  ],
  unknownPaths: ["lib/range-parser.js"],
  unknownSymbols: ["parseRangeStrict"],
  shown: [
    { kind: "open", path: "functions/parse.js", startLine: 1, endLine: 18, state: "whole" },
    { kind: "dirty", path: "classes/semver.js", startLine: 1, endLine: 120, state: "cut" },
    { kind: "evidence", path: "classes/range.js", startLine: 40, endLine: 66, state: "left out" },
    { kind: "outline", path: null, startLine: null, endLine: null, state: "whole" }
  ]
});

// ../../tmp/h-webview/prof.ts
var pages = await startViewPages();
var code = Array.from({ length: 5e3 }, (_, i) => `const value${i} = ${i};
`).join("");
var texts = { code: `Here

\`\`\`js
${code}\`\`\`
Done.`, words: "lorem ipsum `code` **bold** dolor ".repeat(3e4), nospace: "x".repeat(1e6), paras: "a paragraph\n\n".repeat(8e4), fence: `\`\`\`ts
${"let a = [1, 2, 3];\n".repeat(55e3)}`, fences: "```\n~~~\n````\n".repeat(2e3), quotes: `${">".repeat(1e4)} deep`, quotes2: Array.from({ length: 300 }, (_, depth) => `${"> ".repeat(depth)}x`).join("\n"), items: Array.from({ length: 1e4 }, (_, index) => `${index + 1}. item`).join("\n"), nested: Array.from({ length: 1e3 }, (_, depth) => `${"  ".repeat(depth)}- x`).join("\n"), brackets: `${"[".repeat(5e4)}${"](x)".repeat(1e3)}`, emphasis: "*a **b _c __d ".repeat(1e4), backticks: Array.from({ length: 2e3 }, (_, index) => "`".repeat(index % 60)).join(" a "), links: "https://a.example/".repeat(1e4), table: `|a|b|c|d|e|
|-|-|-|-|-|
${"|1|2|3|4|5|\n".repeat(2e3)}`, ents: "&amp;&#x202e;&lt;script&gt;".repeat(2e4), surr: "\u{1F600}".repeat(3e4) };
for (const [n, t] of Object.entries(texts)) {
  if (process.argv[2] && process.argv[2] !== n) continue;
  const v = await pages.open({ state: viewState() });
  const r = await v.page.evaluate(async (turn2) => {
    let worst = 0, total = 0, frames = 0;
    const t0 = performance.now();
    let last = t0;
    window.postMessage({ type: "turn", turn: turn2 }, "*");
    for (; ; ) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      worst = Math.max(worst, now - last);
      last = now;
      frames++;
      if (document.querySelector(".answer")?.textContent?.includes("THE END")) {
        total = now - t0;
        break;
      }
      if (now - t0 > 12e4) {
        total = -1;
        break;
      }
    }
    await new Promise(requestAnimationFrame);
    worst = Math.max(worst, performance.now() - last);
    return { total: Math.round(total), worst: Math.round(worst), frames };
  }, turn({ answer: t + "\n\nTHE END" }));
  console.log(n.padEnd(10), t.length, JSON.stringify(r), v.troubles.slice(0, 2));
  await v.page.close();
}
await pages.close();
process.exit(0);
