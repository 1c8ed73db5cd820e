// Parses the files that are named, and says of each which diagram it is, or why not.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const page = new JSDOM("<body></body>");
global.window = page.window;
global.document = page.window.document;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({});
for (const file of process.argv.slice(2)) {
  try {
    const found = await mermaid.parse(readFileSync(file, "utf8"));
    console.log(`${found.diagramType} ${file}`);
  } catch (error) {
    console.log(`refused ${file}: ${String(error).replaceAll("\n", " ").slice(0, 300)}`);
    process.exitCode = 1;
  }
}
