// Home: what is running, what was made, and how to begin, in code that works as it stands.
import { useLive } from "../../api/live";
import type { List } from "../../api/client";
import { modelPath } from "../../api/client";
import { batchIsLive, jobIsLive, type Batch, type Job, type Model } from "../../api/objects";
import { LinkButton } from "../../kit/button";
import { baseUrl, Code, type Example } from "../../kit/code";
import { percent, shortModel } from "../../kit/format";
import { Icon, type IconName } from "../../kit/icon";
import { Loaded, PageHead, Progress, Status, Time } from "../../kit/show";

const quick = () => 3000;
const playground = (model: string) => `/playground?model=${encodeURIComponent(model)}`;

function Running({ jobs, batches }: { jobs: Job[]; batches: Batch[] }) {
    const live = jobs.filter(jobIsLive);
    const answering = batches.filter(batchIsLive);
    if (!live.length && !answering.length)
        return (
            <p class="calm">
                <Icon name="good" /> Nothing is running. The machine is free for answers.
            </p>
        );
    return (
        <ul class="running">
            {live.map((job) => (
                <li key={job.id}>
                    <a href={`/fine-tuning/${job.id}`}>
                        <span>
                            <strong>{job.user_provided_suffix ?? job.id}</strong>
                            <small>fine-tuning of {shortModel(job.model)}</small>
                        </span>
                        <Status of={job.status} />
                        <span class="running-time">{job.estimated_finish ? <>done <Time at={job.estimated_finish} /></> : <>since <Time at={job.created_at} /></>}</span>
                    </a>
                </li>
            ))}
            {answering.map((batch) => {
                const counts = batch.request_counts;
                const done = counts ? counts.completed + counts.failed : 0;
                return (
                    <li key={batch.id}>
                        <a href={`/batches/${batch.id}`}>
                            <span>
                                <strong>{batch.id}</strong>
                                <small>batch</small>
                            </span>
                            <Status of={batch.status} />
                            <span class="running-time">
                                {percent(done, counts?.total ?? 0)} <Progress part={counts?.total ? done / counts.total : 0} label="Requests answered" />
                            </span>
                        </a>
                    </li>
                );
            })}
        </ul>
    );
}

function Step({ icon, href, title, children }: { icon: IconName; href: string; title: string; children: string }) {
    return (
        <a class="step" href={href}>
            <Icon name={icon} size={22} />
            <strong>{title}</strong>
            <span>{children}</span>
        </a>
    );
}

function quickstart(base: string, tuned: string | null): Example[] {
    const model = tuned ?? base;
    const what = tuned ? "Chat with your latest fine-tuned model" : "Fine-tune, then chat";
    const python = tuned
        ? ""
        : `file = client.files.create(file=open("chats.jsonl", "rb"), purpose="fine-tune")\njob = client.fine_tuning.jobs.create(training_file=file.id, model="${base}")\nwhile job.status not in ("succeeded", "failed", "cancelled"):\n    time.sleep(2)\n    job = client.fine_tuning.jobs.retrieve(job.id)\n\n`;
    const node = tuned
        ? ""
        : `const file = await client.files.create({ file: fs.createReadStream("chats.jsonl"), purpose: "fine-tune" });\nlet job = await client.fineTuning.jobs.create({ training_file: file.id, model: "${base}" });\nwhile (!["succeeded", "failed", "cancelled"].includes(job.status)) {\n    await new Promise((resolve) => setTimeout(resolve, 2000));\n    job = await client.fineTuning.jobs.retrieve(job.id);\n}\n\n`;
    const curl = tuned
        ? ""
        : `curl ${baseUrl()}/files -H "Authorization: Bearer YOUR_API_KEY" \\\n  -F purpose=fine-tune -F file=@chats.jsonl\n\ncurl ${baseUrl()}/fine_tuning/jobs -H "Authorization: Bearer YOUR_API_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '{"training_file": "FILE_ID", "model": "${base}"}'\n\n`;
    return [
        {
            language: "Python",
            code: `# ${what}\n${tuned ? "" : "import time\n"}from openai import OpenAI\n\nclient = OpenAI(\n    base_url="${baseUrl()}",\n    api_key="YOUR_API_KEY",\n)\n\n${python}answer = client.chat.completions.create(\n    model=${tuned ? `"${model}"` : "job.fine_tuned_model"},\n    messages=[{"role": "user", "content": "Hello!"}],\n)\nprint(answer.choices[0].message.content)\n`,
        },
        {
            language: "Node",
            code: `// ${what}\n${tuned ? "" : 'import fs from "node:fs";\n'}import OpenAI from "openai";\n\nconst client = new OpenAI({\n    baseURL: "${baseUrl()}",\n    apiKey: "YOUR_API_KEY",\n});\n\n${node}const answer = await client.chat.completions.create({\n    model: ${tuned ? `"${model}"` : "job.fine_tuned_model"},\n    messages: [{ role: "user", content: "Hello!" }],\n});\nconsole.log(answer.choices[0].message.content);\n`,
        },
        {
            language: "curl",
            code: `# ${what}\n${curl}curl ${baseUrl()}/chat/completions \\\n  -H "Authorization: Bearer YOUR_API_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '{"model": "${tuned ? model : "FINE_TUNED_MODEL"}", "messages": [{"role": "user", "content": "Hello!"}]}'\n`,
        },
    ];
}

export function Home() {
    const jobs = useLive<List<Job>>("/v1/fine_tuning/jobs?limit=20", quick);
    const batches = useLive<List<Batch>>("/v1/batches?limit=20", quick);
    const models = useLive<List<Model>>("/v1/models");
    const made = jobs.data?.data.filter((job) => job.fine_tuned_model) ?? [];
    const base = models.data?.data.find((model) => model.tags.includes("fine-tunable"))?.id ?? "temper/mini-instruct";
    return (
        <>
            <PageHead title="Home" about="Fine-tune a model on your own chats, and talk to it, on this machine.">
                <LinkButton kind="primary" icon="plus" href="/fine-tuning/new">
                    New fine-tuning job
                </LinkButton>
            </PageHead>
            <section aria-label="Begin" class="steps">
                <Step icon="upload" href="/fine-tuning/new" title="Fine-tune">
                    Drop a file of chats, see what is in it, and start.
                </Step>
                <Step icon="playground" href={made[0]?.fine_tuned_model ? playground(made[0].fine_tuned_model) : "/playground"} title="Chat">
                    Try any model, and compare it with its base.
                </Step>
                <Step icon="keys" href="/api-keys" title="Go on in code">
                    Make a key, and point your client here.
                </Step>
            </section>
            <section class="card">
                <h2>Running now</h2>
                <Loaded live={jobs} lines={2}>
                    {(list) => <Running jobs={list.data} batches={batches.data?.data ?? []} />}
                </Loaded>
            </section>
            <div class="halves">
                <section class="card">
                    <h2>Quick start</h2>
                    <p class="hint">
                        This server's address for clients is <code>{baseUrl()}</code>.
                    </p>
                    <Code label="Quick start" examples={quickstart(base, made[0]?.fine_tuned_model ?? null)} />
                </section>
                <section class="card">
                    <h2>Latest models</h2>
                    <Loaded live={jobs} lines={3}>
                        {() =>
                            made.length ? (
                                <ul class="latest">
                                    {made.slice(0, 6).map((job) => (
                                        <li key={job.id}>
                                            <span>
                                                <a href={`/models/${modelPath(job.fine_tuned_model!)}`}>{job.user_provided_suffix ?? shortModel(job.fine_tuned_model)}</a>
                                                <small class="under">{job.fine_tuned_model}</small>
                                            </span>
                                            <Time at={job.finished_at} />
                                            <LinkButton small href={playground(job.fine_tuned_model!)}>
                                                Chat
                                            </LinkButton>
                                        </li>
                                    ))}
                                </ul>
                            ) : (
                                <p class="hint">Models that you fine-tune stand here. The first takes a minute on the built-in base model.</p>
                            )
                        }
                    </Loaded>
                </section>
            </div>
        </>
    );
}
