// Writes the table of src/service/web_assets.h: node embed.mjs DIST OUT.c OUT.S, from the files that Vite has built. The
// bytes are taken in by the assembler (.incbin), compressed ones from beside OUT.S.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { gzipSync, constants } from "node:zlib";

const TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
};
const MOST_COMPRESSED = 300_000; // bytes that all of the platform may weigh

const [dist, table, bytes] = process.argv.slice(2).map((path) => resolve(path));

function* files(folder) {
    for (const name of readdirSync(folder).sort()) {
        const path = join(folder, name);
        if (statSync(path).isDirectory()) yield* files(path);
        else yield path;
    }
}

const compressedFolder = join(dirname(bytes), "compressed");
mkdirSync(compressedFolder, { recursive: true });
const rows = [];
const blocks = [];
let total = 0;
for (const path of files(dist)) {
    const type = TYPES[extname(path)];
    if (!type) throw new Error(`${path}: web/embed.mjs knows no content type for ${extname(path)}`);
    const content = readFileSync(path);
    const gzip = gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
    const smaller = gzip.length < content.length;
    const name = path.slice(dist.length);
    const index = rows.length;
    const etag = createHash("sha256").update(content).digest("hex").slice(0, 32);
    const compressed = join(compressedFolder, `${index}.gz`);
    writeFileSync(compressed, gzip);
    total += Math.min(gzip.length, content.length);
    blocks.push(
        `web_asset_${index}:\n.incbin "${path}"\nweb_asset_${index}_gzip:\n.incbin "${compressed}"\n` +
            `.globl web_asset_${index}\n.globl web_asset_${index}_gzip\n.hidden web_asset_${index}\n.hidden web_asset_${index}_gzip`,
    );
    rows.push({ index, name: name === "/index.html" ? "/" : name, type, etag, length: content.length, gzip: smaller ? gzip.length : 0 });
}
console.log(`the platform's pages: ${rows.length} files, ${(total / 1000).toFixed(0)} kB compressed`);
if (total > MOST_COMPRESSED) throw new Error(`they may weigh ${MOST_COMPRESSED} bytes compressed, and weigh ${total}`);
writeFileSync(bytes, `.section .rodata\n.balign 16\n${blocks.join("\n")}\n.section .note.GNU-stack,"",%progbits\n`);
writeFileSync(
    table,
    '// Written by web/embed.mjs.\n#include "service/web_assets.h"\n\n' +
        rows.map((row) => `extern const unsigned char web_asset_${row.index}[], web_asset_${row.index}_gzip[];\n`).join("") +
        "\nconst struct web_asset web_assets[] = {\n" +
        rows
            .map(
                (row) =>
                    `    {"${row.name}", "${row.type}", "\\"${row.etag}\\"", web_asset_${row.index}, web_asset_${row.index}_gzip, ` +
                    `${row.length}, ${row.gzip}},\n`,
            )
            .join("") +
        "};\n" +
        `const size_t web_asset_count = ${rows.length};\n`,
);
