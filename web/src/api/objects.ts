// The API's objects, as docs/openapi.json describes them (schema.d.ts is made of it), and what that leaves open.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Model = Schemas["Model"];
export type StoredFile = Schemas["File"];
export type Upload = Schemas["Upload"];
export type JobEvent = Omit<Schemas["FineTuningJobEvent"], "data"> & { data?: Record<string, number | string | null> };
export type Checkpoint = Schemas["FineTuningJobCheckpoint"];
export type Batch = Schemas["Batch"];
export type WebhookEndpoint = Schemas["WebhookEndpoint"];
export type WebhookDelivery = Schemas["WebhookDelivery"];
export type ApiKey = Schemas["ApiKey"];

export interface Hyperparameters {
    n_epochs: number | "auto";
    batch_size: number | "auto";
    learning_rate_multiplier: number | "auto";
}

export interface Lora {
    rank?: number;
    alpha?: number;
    dropout?: number;
    target_modules?: string[];
}

export type Job = Omit<Schemas["FineTuningJob"], "hyperparameters" | "lora" | "metadata" | "metrics" | "usage_metrics"> & {
    hyperparameters: Hyperparameters;
    lora?: Lora | null;
    metadata?: Record<string, string> | null;
    metrics?: Record<string, number | null>;
};

/** Whether a job may still change by itself. */
export function jobIsLive(job: Job): boolean {
    return ["validating_files", "queued", "running"].includes(job.status);
}

export function batchIsLive(batch: Batch): boolean {
    return ["validating", "in_progress", "finalizing", "cancelling"].includes(batch.status);
}
