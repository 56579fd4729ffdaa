// Markdown as elements. marked cuts the text into tokens; each kind of token has its element here, and what has none, raw
// HTML above all, stays text. Nothing is loaded: pictures become links. What nests too deep, or is too long, stays text.
import { type Token, type Tokens, lexer } from "marked";
import type { ComponentChildren } from "preact";

const DEEPEST = 16;
const LONGEST = 200_000; // characters

const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };

/** marked escapes a few characters in texts; elements need none of that. */
function plain(text: string): string {
    return text.replace(/&(lt|gt|quot|#39|amp);/g, (entity) => entities[entity] ?? entity);
}

function isSafe(href: string): boolean {
    try {
        return ["http:", "https:", "mailto:"].includes(new URL(href).protocol);
    } catch {
        return false;
    }
}

function Outward({ href, children }: { href: string; children: ComponentChildren }) {
    if (!isSafe(href)) return <>{children}</>;
    return (
        <a href={href} target="_blank" rel="noopener noreferrer">
            {children}
        </a>
    );
}

function inner(token: { tokens?: Token[]; raw: string }, depth: number): ComponentChildren {
    return token.tokens ? all(token.tokens, depth + 1) : plain(token.raw);
}

function list(token: Tokens.List, depth: number): ComponentChildren {
    const items = token.items.map((item, index) => (
        <li key={index}>
            {item.task && <input type="checkbox" checked={item.checked} disabled aria-label={item.checked ? "done" : "not done"} />}
            {all(item.tokens, depth + 1)}
        </li>
    ));
    return token.ordered ? <ol start={Number(token.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function table(token: Tokens.Table, depth: number): ComponentChildren {
    const cells = (row: Tokens.TableCell[], Cell: "th" | "td") => (
        <tr>
            {row.map((cell, index) => (
                <Cell key={index}>{all(cell.tokens, depth + 1)}</Cell>
            ))}
        </tr>
    );
    return (
        <div class="markdown-table" tabIndex={0}>
            <table>
                <thead>{cells(token.header, "th")}</thead>
                <tbody>{token.rows.map((row) => cells(row, "td"))}</tbody>
            </table>
        </div>
    );
}

const kinds: Record<string, (token: any, depth: number) => ComponentChildren> = {
    space: () => null,
    hr: () => <hr />,
    br: () => <br />,
    heading: (token: Tokens.Heading, depth) => (
        <p class="markdown-heading" role="heading" aria-level={Math.min(6, token.depth + 2)}>
            {inner(token, depth)}
        </p>
    ),
    paragraph: (token: Tokens.Paragraph, depth) => <p>{inner(token, depth)}</p>,
    text: (token: Tokens.Text, depth) => (token.tokens ? inner(token, depth) : plain(token.text)),
    escape: (token: Tokens.Escape) => plain(token.text),
    strong: (token: Tokens.Strong, depth) => <strong>{inner(token, depth)}</strong>,
    em: (token: Tokens.Em, depth) => <em>{inner(token, depth)}</em>,
    del: (token: Tokens.Del, depth) => <del>{inner(token, depth)}</del>,
    codespan: (token: Tokens.Codespan) => <code>{plain(token.text)}</code>,
    code: (token: Tokens.Code) => (
        <pre tabIndex={0}>
            <code>{token.text}</code>
        </pre>
    ),
    blockquote: (token: Tokens.Blockquote, depth) => <blockquote>{inner(token, depth)}</blockquote>,
    link: (token: Tokens.Link, depth) => <Outward href={token.href}>{inner(token, depth)}</Outward>,
    image: (token: Tokens.Image) => <Outward href={token.href}>{plain(token.text) || token.href}</Outward>,
    list,
    table,
};

function all(tokens: Token[], depth: number): ComponentChildren {
    return tokens.map((token, index) => {
        const kind = depth < DEEPEST ? kinds[token.type] : undefined;
        return <span class="markdown-part" key={index}>{kind ? kind(token, depth) : token.raw}</span>;
    });
}

/** JSON, whole or still coming: Markdown would take its indentation away. */
function isData(text: string): boolean {
    return /^\s*[{[]\s*(["{[\]}\d-]|$|true|false|null)/.test(text);
}

export function Markdown({ text }: { text: string }) {
    if (isData(text)) return <pre class="markdown data">{text}</pre>;
    let tokens: Token[];
    try {
        tokens = text.length <= LONGEST ? lexer(text, { gfm: true, breaks: true }) : [];
    } catch {
        tokens = []; // nested deeper than marked can follow
    }
    if (!tokens.length) return <div class="markdown plain">{text}</div>;
    return <div class="markdown">{all(tokens, 0)}</div>;
}
