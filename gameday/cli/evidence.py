"""The evidence of runs: `gameday evidence …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Json, Reports

evidence_app = typer.Typer(
    help="The evidence of runs: bundled, verified, mapped to controls, kept, redacted.",
    no_args_is_help=True,
)

Run = Annotated[str, typer.Argument(help="A run id, a run directory, or `last`.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file to write; else RUN.zip, here.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite another file that is there.")]
Sign = Annotated[
    Path | None,
    typer.Option("--sign", help="Your SSH key, or its .pub for the agent: the bundle is signed."),
]
Approvals = Annotated[
    Path | None,
    typer.Option("--approvals", help="The folder of approvals; else that of the project."),
]
Findings = Annotated[
    Path | None,
    typer.Option("--findings", help="A file or folder of findings; else `findings`, if there."),
]


@evidence_app.command("bundle")
def evidence_bundle(
    run: Run = "last",
    reports: Reports = Path("reports"),
    out: Out = None,
    sign: Sign = None,
    approvals: Approvals = None,
    findings: Findings = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Write everything that a run left behind as one archive, with the SHA-256 of each file."""
    from gameday.app.evidence import BundleRequest, bundle_command
    from gameday.app.evidence_files import Places

    request = BundleRequest(
        run=run,
        reports=reports,
        out=out,
        key=sign,
        force=force,
        places=Places(approvals=approvals, findings=findings),
    )
    return int(bundle_command(request, as_json=json))


@evidence_app.command("verify")
def evidence_verify(
    what: Annotated[str, typer.Argument(help="A bundle, or a run as `bundle` takes it.")] = "last",
    reports: Reports = Path("reports"),
    signers: Annotated[
        Path | None,
        typer.Option("--signers", help="Who may have signed: an allowed-signers file."),
    ] = None,
    signer: Annotated[
        str | None, typer.Option("--signer", help="Who must have signed, as that file has them.")
    ] = None,
    json: Json = False,
) -> int:
    """Compute everything again, and name each file and event that is not as it was written."""
    from gameday.app.evidence import verify_command
    from gameday.app.evidence_verify import Trust

    trust = Trust(signers=signers, signer=signer)
    return int(verify_command(what, reports=reports, trust=trust, as_json=json))
