// Reads {"body", "headers", "secret"} from standard input, and prints the event that openai-node makes of it.
const { default: OpenAI } = require("openai");

let text = "";
process.stdin.on("data", (piece) => (text += piece));
process.stdin.on("end", async () => {
  const { body, headers, secret } = JSON.parse(text);
  const client = new OpenAI({ apiKey: "none" });
  console.log(JSON.stringify(await client.webhooks.unwrap(body, headers, secret)));
});
