"""Sources of rules that are not sources of a table."""

from cds_service.core.tables import Source

ASE_2018 = Source(
    publisher="American Society of Echocardiography",
    document="contrast echocardiography coding guidance",
    year=2018,
    url="https://www.asecho.org",
)

MEDLEARN_2018 = Source(
    publisher="MedLearn",
    document="contrast echocardiography: who bills the supply",
    year=2018,
)

AAPC_STRESS_DRUGS = Source(
    publisher="AAPC",
    document="stress echo in a facility: who charges the drugs (secondary)",
    year=2011,
    url="https://www.aapc.com",
)

NORIDIAN_JZ_2024 = Source(
    publisher="Noridian Healthcare Solutions",
    document="Modifier JZ: units and waste of single-dose drugs",
    year=2024,
    url="https://med.noridianmedicare.com",
)

MCD_EDITIONS = Source(
    publisher="CMS",
    document="Medicare Coverage Database, weekly copies of the articles (as loaded)",
    year=2026,
    url="https://www.cms.gov/medicare-coverage-database",
)

L38786 = Source(
    publisher="Medicare contractors",
    document="local coverage determination L38786, myocardial contrast perfusion echo (title seen only: verify)",
    year=2024,
)
