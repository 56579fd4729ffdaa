// Requests as code: what the pages do, for whoever goes on in a program. Values are written in each language's own way.
import { baseUrl, type Example } from "./code";

export type Value = string | number | boolean | null | Value[] | { [name: string]: Value };

const INDENT = "    ";

function isPlain(value: Value): boolean {
    return typeof value !== "object" || value === null || Object.keys(value).length === 0;
}

/** A value as Python writes it. */
export function python(value: Value, depth = 0): string {
    if (value === null) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value !== "object") return JSON.stringify(value);
    const inner = INDENT.repeat(depth + 1);
    const [open, close] = Array.isArray(value) ? "[]" : "{}";
    const members = Array.isArray(value)
        ? value.map((member) => python(member, depth + 1))
        : Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${python(member, depth + 1)}`);
    const line = open + members.join(", ") + close;
    if (Object.values(value).every(isPlain) && line.length < 88) return line;
    return `${open}\n${members.map((member) => inner + member).join(",\n")},\n${INDENT.repeat(depth)}${close}`;
}

/** A value as JavaScript writes it. */
export function javascript(value: Value, depth = 0): string {
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    const inner = INDENT.repeat(depth + 1);
    const [open, close] = Array.isArray(value) ? "[]" : "{}";
    const members = Array.isArray(value)
        ? value.map((member) => javascript(member, depth + 1))
        : Object.entries(value).map(([name, member]) => `${/^\w+$/.test(name) ? name : JSON.stringify(name)}: ${javascript(member, depth + 1)}`);
    const line = Array.isArray(value) ? open + members.join(", ") + close : `${open} ${members.join(", ")} ${close}`;
    if (Object.values(value).every(isPlain) && line.length < 88) return line;
    return `${open}\n${members.map((member) => inner + member).join(",\n")},\n${INDENT.repeat(depth)}${close}`;
}

function shellQuoted(text: string): string {
    return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Arguments of a call in Python: one a line. What OpenAI's client has no name for goes into extra_body. */
function pythonArguments(body: Record<string, Value>, extra: string[]): string {
    const known = Object.entries(body).filter(([name]) => !extra.includes(name));
    const others = Object.fromEntries(Object.entries(body).filter(([name]) => extra.includes(name)));
    const lines = known.map(([name, value]) => `${INDENT}${name}=${python(value, 1)},\n`);
    if (Object.keys(others).length) lines.push(`${INDENT}extra_body=${python(others, 1)},\n`);
    return lines.join("");
}

interface Call {
    /** "/chat/completions" */
    path: string;
    /** "chat.completions.create" */
    method: string;
    body: Record<string, Value>;
    /** Fields that are temper's own. */
    extra?: string[];
    /** What is done with the answer: lines of Python and of JavaScript. */
    then: [string, string];
    name: string;
}

export function examples({ path, method, body, extra = [], then, name }: Call): Example[] {
    return [
        {
            language: "Python",
            code: `from openai import OpenAI\n\nclient = OpenAI(\n    base_url="${baseUrl()}",\n    api_key="YOUR_API_KEY",\n)\n\n${name} = client.${method}(\n${pythonArguments(body, extra)})\n${then[0]}\n`,
        },
        {
            language: "Node",
            code: `import OpenAI from "openai";\n\nconst client = new OpenAI({\n    baseURL: "${baseUrl()}",\n    apiKey: "YOUR_API_KEY",\n});\n\nconst ${name} = await client.${method}(${javascript(body)});\n${then[1]}\n`,
        },
        {
            language: "curl",
            code: `curl ${baseUrl()}${path} \\\n  -H "Authorization: Bearer YOUR_API_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d ${shellQuoted(JSON.stringify(body, null, 2))}\n`,
        },
    ];
}
