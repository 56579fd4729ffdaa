// One model: where it comes from, how to use it, and what can be done with it.
import { useJobOf } from "../../api/checkpoints";
import { modelPath } from "../../api/client";
import { useLive } from "../../api/live";
import type { Model } from "../../api/objects";
import { LinkButton } from "../../kit/button";
import { Code } from "../../kit/code";
import { examples } from "../../kit/code_examples";
import { count, shortModel } from "../../kit/format";
import { Facts, Id, Loaded, PageHead, Time } from "../../kit/show";
import type { PageProps } from "../pages";
import { chatWith, isFineTuned, ModelMenu, tuneFrom } from "./models";

export function ModelPage({ parameters }: PageProps) {
    const id = parameters.model!;
    const live = useLive<Model>(`/v1/models/${modelPath(id)}`);
    const job = useJobOf(id);
    return (
        <>
            <PageHead title={shortModel(id)} back={{ href: "/models", label: "Models" }}>
                {live.error?.status !== 404 && (
                    <>
                        <LinkButton kind="primary" icon="playground" href={chatWith(id)}>
                            Chat
                        </LinkButton>
                        <LinkButton icon="tuning" href={tuneFrom(id)}>
                            {isFineTuned(id) ? "Fine-tune further" : "Fine-tune"}
                        </LinkButton>
                        <ModelMenu model={id} />
                    </>
                )}
            </PageHead>
            <Loaded live={live}>
                {(model) => (
                    <div class="halves">
                        <section class="card">
                            <h2>Use it</h2>
                            <Code
                                label="A chat with this model"
                                examples={examples({
                                    path: "/chat/completions",
                                    method: "chat.completions.create",
                                    name: "answer",
                                    body: { model: model.id, messages: [{ role: "user", content: "Hello!" }] },
                                    then: ["print(answer.choices[0].message.content)", "console.log(answer.choices[0].message.content);"],
                                })}
                            />
                        </section>
                        <section class="card">
                            <h2>What it is</h2>
                            <Facts
                                rows={[
                                    ["Name", <Id>{model.id}</Id>],
                                    ...(model.aliases.length ? ([["Also called", model.aliases.join(", ")]] as [string, string][]) : []),
                                    ["Kind", isFineTuned(id) ? (model.id.includes(":ckpt-step-") ? "a checkpoint" : "fine-tuned") : "base model"],
                                    ["Of", model.owned_by],
                                    ["Created", <Time at={model.created} />],
                                    ...(job
                                        ? ([
                                              ["Base", <a href={`/models/${modelPath(job.model)}`}>{shortModel(job.model)}</a>],
                                              ["Made by", <a href={`/fine-tuning/${job.id}`}>{job.id}</a>],
                                              ["Trained tokens", count(job.trained_tokens)],
                                          ] as [string, preact.ComponentChildren][])
                                        : []),
                                ]}
                            />
                        </section>
                    </div>
                )}
            </Loaded>
        </>
    );
}
