// Makes dist/ of src/: one script, one style sheet, the licences of what is bundled. Fails where it grows too large.
import { build } from "esbuild";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 300_000;
const BUNDLED = ["uplot"];

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
await build({
  entryPoints: { console: "src/main.js" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  logLevel: "warning",
});
for (const file of ["index.html", "icon.svg"]) cpSync(`src/${file}`, `dist/${file}`);

const licences = BUNDLED.map((name) => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  return `${name} ${version} (${license})\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n`;
});
writeFileSync("dist/licences.txt", licences.join(`\n${"=".repeat(80)}\n\n`));

const sizes = readdirSync("dist").sort().map((file) => {
  const bytes = readFileSync(`dist/${file}`);
  return [file, bytes.length, gzipSync(bytes, { level: 9 }).length];
});
const total = sizes.reduce((sum, [, , packed]) => sum + packed, 0);
for (const [file, bytes, packed] of sizes) console.log(`${file}: ${bytes} bytes, ${packed} compressed`);
console.log(`all: ${total} bytes compressed, at most ${LIMIT}`);
if (total > LIMIT) {
  rmSync("dist", { recursive: true });
  console.error(`error: the page is larger than ${LIMIT} bytes compressed: bundle less`);
  process.exit(1);
}
