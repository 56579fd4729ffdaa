// POST /v1/fine_tuning/checks: what a training file holds, and what a job with it would take.
import type { components } from "./schema";
import type { Hyperparameters, Lora } from "./objects";

type Schemas = components["schemas"];

export type CheckedFile = Schemas["CheckedTrainingFile"];
export type Estimate = Schemas["FineTuningEstimate"];
export type Check = Omit<Schemas["FineTuningCheck"], "hyperparameters" | "lora"> & { hyperparameters: Record<keyof Hyperparameters, number>; lora: Required<Lora> };
