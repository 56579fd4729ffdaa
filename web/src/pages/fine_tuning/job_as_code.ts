// The request that makes a job, for whoever goes on in a program.
import type { Job } from "../../api/objects";
import type { Example } from "../../kit/code";
import { examples, type Value } from "../../kit/code_examples";

export interface JobRequest {
    model: string;
    training_file: string;
    validation_file?: string;
    suffix?: string;
    seed?: number;
    method?: { type: "supervised"; supervised: { hyperparameters: Record<string, number | "auto"> } };
    lora?: Record<string, Value>;
}

export function requestAsCode(request: JobRequest): Example[] {
    return examples({
        path: "/fine_tuning/jobs",
        method: "fine_tuning.jobs.create",
        name: "job",
        body: request as unknown as Record<string, Value>,
        extra: ["lora"],
        then: ["print(job.id, job.status)", "console.log(job.id, job.status);"],
    }).map((example) => (example.language === "Node" ? { ...example, code: example.code.replace("fine_tuning.jobs", "fineTuning.jobs") } : example));
}

export function jobAsCode(job: Job): Example[] {
    return requestAsCode({
        model: job.model,
        training_file: job.training_file,
        ...(job.validation_file && { validation_file: job.validation_file }),
        ...(job.user_provided_suffix && { suffix: job.user_provided_suffix }),
        seed: job.seed,
        method: { type: "supervised", supervised: { hyperparameters: { ...job.hyperparameters } } },
        ...(job.lora && { lora: { ...job.lora } as Record<string, Value> }),
    });
}
