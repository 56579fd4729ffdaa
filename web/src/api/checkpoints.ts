// The checkpoints of a model: models as well, which the list of models leaves out.
import { type List, query } from "./client";
import { useLive } from "./live";
import type { Checkpoint, Job } from "./objects";

const MOST = 50;

/** The name of the model that a checkpoint is of; of any other model, its own. */
export function wholeModel(name: string): string {
    return name.replace(/:ckpt-step-\d+$/, "");
}

/** The job that made a fine-tuned model, or that a checkpoint is of; undefined while it comes, and where there is none. */
export function useJobOf(model: string): Job | undefined {
    const name = wholeModel(model);
    const jobs = useLive<List<Job>>(name.startsWith("ft:") ? `/v1/fine_tuning/jobs${query({ search: name, limit: 20 })}` : null, () => null);
    return jobs.data?.data.find((job) => job.fine_tuned_model === name);
}

/** Those of a fine-tuned model, or of the model that this is a checkpoint of: newest first. */
export function useCheckpoints(model: string): Checkpoint[] {
    const job = useJobOf(model);
    const list = useLive<List<Checkpoint>>(job ? `/v1/fine_tuning/jobs/${job.id}/checkpoints?limit=${MOST}` : null, () => null);
    return list.data?.data ?? [];
}
