// Uploads of large files that have begun and not ended: a page that was left or loaded anew cannot read the file again by
// itself, so that its reader has to choose it once more.
import { abandon, arrivedPart, type Begun, begunUploads, type Purpose } from "../../api/upload";
import { Button } from "../../kit/button";
import { bytes, percent } from "../../kit/format";
import { Note, Time } from "../../kit/show";

export function BegunUploads({ purpose, onGoOn }: { purpose?: Purpose; onGoOn?: (begun: Begun) => void }) {
    const list = begunUploads(purpose);
    if (!list.length) return null;
    return (
        <Note title={list.length === 1 ? "An upload has begun and not ended" : `${list.length} uploads have begun and not ended`}>
            <p>Choose the same file again, and it goes on where it stopped.</p>
            <ul class="begun">
                {list.map((begun) => (
                    <li key={begun.upload}>
                        <span>
                            <strong>{begun.name}</strong>{" "}
                            <small>
                                {percent(arrivedPart(begun), 1)} of {bytes(begun.size)} has arrived, begun <Time at={begun.began} />
                            </small>
                        </span>
                        <span class="row-actions">
                            {onGoOn && (
                                <Button small icon="upload" aria-label={`Go on with ${begun.name}`} onPress={() => onGoOn(begun)}>
                                    Go on
                                </Button>
                            )}
                            <Button small aria-label={`Give up the upload of ${begun.name}`} onPress={() => abandon(begun)}>
                                Give up
                            </Button>
                        </span>
                    </li>
                ))}
            </ul>
        </Note>
    );
}
